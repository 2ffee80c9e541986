-- Delete dead letters for good.
-- KEYS: dead, its load. ARGV: dead entries
local deleted = 0
for _, id in ipairs(ARGV) do
  local found = string.match(id, '^%d+%-%d+$') and redis.call('XRANGE', KEYS[1], id, id)[1]
  if found then
    redis.call('XDEL', KEYS[1], id)
    add(KEYS[2], 'bytes', -weight(fields_of(found[2])))
    deleted = deleted + 1
  end
end
return deleted
