-- Lease entries whose lease has run out, from whoever had them.
-- KEYS: interactive, bulk, config. ARGV: consumer, how many, tag, how many suspects
local me, count, tag, suspects = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4] or ARGV[2])
local streams = { KEYS[1], KEYS[2] }
local lease_ms = configured(KEYS[3], 'lease_ms')
local sorted, take = sorter(tag, streams, me)
local taken, trimmed = 0, 0

for class, stream in ipairs(streams) do
  -- All that are idle, not a scan with a cursor: dead entries cannot hide behind living ones.
  for _, pending in ipairs(redis.call('XPENDING', stream, GROUP, 'IDLE', lease_ms, '-', '+', 2 * count + 64)) do
    local id, owner, deliveries = pending[1], pending[2], pending[4]
    local entry = redis.call('XRANGE', stream, id, id)[1]
    if not entry then
      redis.call('XACK', stream, GROUP, id)
      trimmed = trimmed + 1
    elseif owner ~= me and taken < count and (deliveries + 1 < SUSPECT or suspects > 0) then
      if deliveries + 1 >= SUSPECT then suspects = suspects - 1 end
      redis.call('XCLAIM', stream, GROUP, me, lease_ms, id, 'RETRYCOUNT', deliveries + 1, 'JUSTID')
      take(class, id, entry[2], deliveries + 1)
      taken = taken + 1
    end
  end
end
sorted[4] = trimmed
return sorted
