-- Give an entry back, not charged: the next worker is told deliveries + 1.
-- KEYS: stream. ARGV: consumer entry deliveries
local me, entry = ARGV[1], ARGV[2]
if lease(KEYS[1], entry) ~= me then return { 'stale' } end
redis.call('XCLAIM', KEYS[1], GROUP, RELEASED, 0, entry, 'RETRYCOUNT', math.max(0, tonumber(ARGV[3])), 'JUSTID')
return { 'ok' }
