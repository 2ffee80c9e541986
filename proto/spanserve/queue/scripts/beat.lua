-- A worker is alive, and says how it is; it is told the lease in force. Sweeps the names of workers long gone.
-- KEYS: workers, worker, config, interactive, bulk. ARGV: consumer, field value ...
local KEEP_MS = 24 * 3600 * 1000
local now = now_ms()
-- First, for it is allowed at maxmemory.
write('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - KEEP_MS)
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], 2 * KEEP_MS)
redis.call('HSET', KEYS[2], 'seen', now, unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[2], 3 * configured(KEYS[3], 'lease_ms'))
for i = 4, 5 do
  for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[i], GROUP)) do
    local consumer = fields_of(info)
    -- Only one that holds nothing: deleting a consumer forgets its entries.
    if consumer.pending == 0 and consumer.idle > KEEP_MS then
      redis.call('XGROUP', 'DELCONSUMER', KEYS[i], GROUP, consumer.name)
    end
  end
end
return configured(KEYS[3], 'lease_ms')
