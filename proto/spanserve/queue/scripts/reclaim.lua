-- Lease entries whose lease has run out, from whoever had them.
-- KEYS: interactive, bulk, config. ARGV: consumer, how many, tag, how many suspects, version, where to go on in each stream
local me, count, tag, suspects, version = ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4]), ARGV[5]
local streams = { KEYS[1], KEYS[2] }
local lease_ms = configured(KEYS[3], 'lease_ms')
local PAGES = 8
local taken, trimmed, foreign = 0, 0, 0
local next_starts = {}

local function aside(class, entry, its, deliveries)
  redis.call('XCLAIM', streams[class], GROUP, OF_VERSION .. its, 0, entry, 'RETRYCOUNT', deliveries - 1, 'JUSTID')
  foreign = foreign + 1
end

local sorted, take = sorter(tag, streams, me, version, aside)

-- One page of what is idle, from `start`; where the next one begins, or nothing.
local function page(class, stream, start)
  local size = 2 * count + 64
  local found = redis.call('XPENDING', stream, GROUP, 'IDLE', lease_ms, start, '+', size)
  for _, pending in ipairs(found) do
    local id, owner, deliveries = pending[1], pending[2], pending[4]
    local waits = of_version(owner) and owner ~= OF_VERSION .. version
    local entry = not waits and redis.call('XRANGE', stream, id, id)[1]
    if not waits and not entry then
      redis.call('XACK', stream, GROUP, id)
      trimmed = trimmed + 1
    elseif entry and owner ~= me and taken < count and (deliveries + 1 < SUSPECT or suspects > 0) then
      if deliveries + 1 >= SUSPECT then suspects = suspects - 1 end
      redis.call('XCLAIM', stream, GROUP, me, lease_ms, id, 'RETRYCOUNT', deliveries + 1, 'JUSTID')
      take(class, id, entry[2], deliveries + 1)
      taken = taken + 1
    end
  end
  return #found == size and '(' .. found[size][1] or nil
end

for class, stream in ipairs(streams) do
  local start = ARGV[5 + class]
  for _ = 1, PAGES do
    if taken < count and start then start = page(class, stream, start) end
  end
  next_starts[class] = start or '-'
end
sorted[4] = trimmed
sorted[5] = next_starts
sorted[6] = foreign
return sorted
