-- A consumer begins what it may die of: a suspect, which it has alone. If it dies, its name stays.
-- KEYS: job. ARGV: consumer
local record = redis.call('HMGET', KEYS[1], 'state', 'ran')
if record[1] ~= 'queued' then return 0 end
local names = others_in(record[2], ARGV[1])
table.insert(names, word_of(ARGV[1]))
note_ran(KEYS[1], names)
return 1
