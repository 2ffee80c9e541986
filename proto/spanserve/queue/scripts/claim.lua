-- Lease entries: released ones first, then new ones, up to `share` interactive ones before bulk. Those in a version that the
-- consumer does not know wait aside for one that does.
-- KEYS: interactive, bulk. ARGV: consumer, how many, share, tag, how many suspects, version
local me, count, share, tag, suspects, version = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], tonumber(ARGV[5]), ARGV[6]
local taken, foreign = 0, 0

local function aside(class, entry, its, deliveries)
  redis.call('XCLAIM', KEYS[class], GROUP, OF_VERSION .. its, 0, entry, 'RETRYCOUNT', deliveries - 1, 'JUSTID')
  foreign = foreign + 1
end

local sorted, take = sorter(tag, KEYS, me, version, aside)

for class, stream in ipairs(KEYS) do
  for _, holder in ipairs({ RELEASED, OF_VERSION .. version }) do
    local found = taken < count and redis.call('XPENDING', stream, GROUP, '-', '+', 2 * count + 64, holder) or {}
    for _, pending in ipairs(found) do
      local id, deliveries = pending[1], pending[4]
      local entry = redis.call('XRANGE', stream, id, id)[1]
      local suspect = deliveries + 1 >= SUSPECT
      if entry and (taken >= count or suspect and suspects == 0) then
        -- later, or for another worker
      elseif entry then
        if suspect then suspects = suspects - 1 end
        redis.call('XCLAIM', stream, GROUP, me, 0, id, 'RETRYCOUNT', deliveries + 1, 'JUSTID')
        take(class, id, entry[2], deliveries + 1)
        taken = taken + 1
      else
        drop(stream, id)
      end
    end
  end
end

local function read(class, limit)
  if limit <= 0 then return end
  local reply = redis.call('XREADGROUP', 'GROUP', GROUP, me, 'COUNT', limit, 'STREAMS', KEYS[class], '>')
  if not reply then return end
  for _, entry in ipairs(reply[1][2]) do
    take(class, entry[1], entry[2], 1)
    taken = taken + 1
  end
end

read(1, math.min(share, count - taken))
read(2, count - taken)
read(1, count - taken)

-- Where nothing was there: how far the group is, for a read that waits for more. XINFO STREAM would copy two entries.
sorted[4] = {}
if taken == 0 then
  for i, stream in ipairs(KEYS) do
    for _, group in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
      local facts = fields_of(group)
      if facts.name == GROUP then sorted[4][i] = facts['last-delivered-id'] end
    end
  end
end
sorted[5] = foreign
return sorted
