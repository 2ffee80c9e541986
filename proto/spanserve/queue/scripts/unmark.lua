-- A consumer has survived what it began.
-- KEYS: job. ARGV: consumer
local ran = redis.call('HGET', KEYS[1], 'ran')
if not ran then return 0 end
note_ran(KEYS[1], others_in(ran, ARGV[1]))
return 1
