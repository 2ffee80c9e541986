-- Withdraw a job: one that waits ends here, the worker of one that is leased is told when it renews.
-- KEYS: job_keys. ARGV: who
local keys = job_keys()
local record = record_of(keys)
if not record then return { 'unknown' } end
if record.state ~= 'queued' then return { 'ended', record.state } end
local owner = lease(record.stream, record.entry)
if owner and owner ~= RELEASED then
  redis.call('HDEL', keys.job, 'cancel') -- first: it is allowed at maxmemory
  redis.call('HSET', keys.job, 'cancel', 1)
  return { 'flagged' }
end
finish(keys, record, record.entry, 'cancelled', ARGV[1], '')
return { 'cancelled' }
