-- Note that a job has been alone on a device: only of such a job may it be said that its runs failed.
-- KEYS: job. ARGV: -
if redis.call('HGET', KEYS[1], 'state') ~= 'queued' then return 0 end
redis.call('HDEL', KEYS[1], 'ran') -- first: it is allowed at maxmemory
redis.call('HSET', KEYS[1], 'ran', 1)
return 1
