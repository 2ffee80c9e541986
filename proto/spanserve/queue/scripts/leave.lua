-- A worker ends: its name goes, unless it still holds something.
-- KEYS: workers, worker, interactive, bulk. ARGV: consumer
local deleted = 0
for i = 3, 4 do
  if #redis.call('XPENDING', KEYS[i], GROUP, '-', '+', 1, ARGV[1]) == 0 then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[i], GROUP, ARGV[1])
    deleted = deleted + 1
  end
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
return deleted
