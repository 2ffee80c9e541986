-- Queue a dead letter again, its attempts forgotten.
-- KEYS: job_keys. ARGV: dead entry
local keys = job_keys()
local found = redis.call('XRANGE', keys.dead, ARGV[1], ARGV[1])[1]
if not found or fields_of(found[2]).task == '' then return { 'gone' } end -- without its task, too
local record = record_of(keys)
if record and record.state ~= 'dead' then return { 'ended', record.state } end
local fields = fields_of(found[2])
local class = record and record.class or 2
local questions = whole(fields.questions, 0, 0)
local stream = keys.streams[class]
if redis.call('EXISTS', stream) == 0 then return { 'missing' } end
redis.call('XDEL', keys.dead, ARGV[1])
add(keys.dead .. ':load', 'bytes', -weight(fields))
write('HDEL', keys.results, keys.task_id)
local entry = redis.call('XADD', stream, '*', 'v', fields.v, 'job', fields.job, 'task', fields.task, 'crc', fields.crc,
  'questions', questions)
redis.call('HSET', keys.job, 'state', 'queued', 'digest', redis.sha1hex(fields.task), 'entry', entry, 'class', class,
  'bytes', #fields.task, 'questions', questions)
redis.call('HDEL', keys.job, 'by')
redis.call('PEXPIRE', keys.job, RECORD_TTL_MS)
count_in(keys.tenant, keys.load, keys.job_id, #fields.task, questions)
return { 'queued', entry }
