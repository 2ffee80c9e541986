-- Queue a task once, however often it is submitted.
-- KEYS: job_keys. ARGV: class task crc questions timeout_ms version trace
local keys = job_keys()
local class, task, crc, questions, timeout_ms, version, trace = unpack(ARGV)
local digest = redis.sha1hex(task)
local stream = keys.streams[tonumber(class)]
local record = record_of(keys)

-- An entry is alive if a worker holds it or one is going to be given it.
local function alive()
  if not record.entry then return false end
  if #redis.call('XRANGE', record.stream, record.entry, record.entry) == 0 then return false end
  if lease(record.stream, record.entry) then return true end
  local group = fields_of(redis.call('XINFO', 'GROUPS', record.stream)[1])
  local function parts(entry)
    local ms, sequence = string.match(entry, '(%d+)-(%d+)')
    return tonumber(ms), tonumber(sequence)
  end
  local ms, sequence = parts(record.entry)
  local last_ms, last_sequence = parts(group['last-delivered-id'])
  return ms > last_ms or (ms == last_ms and sequence > last_sequence)
end

local function queue()
  if trace and trace ~= '' and #trace <= MAX_TRACE then
    return redis.call('XADD', stream, '*', 'v', version, 'job', keys.job_id, 'task', task, 'crc', crc, 'questions',
      questions, 'trace', trace)
  end
  return redis.call('XADD', stream, '*', 'v', version, 'job', keys.job_id, 'task', task, 'crc', crc, 'questions',
    questions)
end

-- All is looked at before the first write, whoever calls.
if class ~= '1' and class ~= '2' then return redis.error_reply('ERR class is not 1 or 2') end
if not string.find(questions, '^[1-9]%d?%d?$') then return redis.error_reply('ERR questions is not a number from 1 to 999') end
if timeout_ms ~= '' and not (string.find(timeout_ms, '^%d+$') and #timeout_ms <= 9) then
  return redis.error_reply('ERR timeout_ms is not a number of milliseconds below 10^9')
end
if not string.find(version, VERSIONS) then return redis.error_reply('ERR version is not a number from 1 to 999') end
if not string.find(crc, '^%x%x%x%x%x%x%x%x$') then return redis.error_reply('ERR crc is not 8 hexadecimal digits') end
local waiting = redis.call('XLEN', stream)
if waiting == 0 and redis.call('EXISTS', stream) == 0 then return { 'missing' } end -- a typo must not make a queue
if record then
  if record.digest ~= digest then return { 'conflict' } end
  if record.state ~= 'queued' then
    return { 'ended', record.state, try('HEXISTS', keys.results, keys.task_id) == 1 and 1 or 0 }
  end
  if alive() then return { 'known', record.entry } end
  stream = record.stream
  drop(stream, record.entry)
  local entry = queue()
  redis.call('HSET', keys.job, 'entry', entry)
  return { 'restored', entry }
end

local limits = redis.call('HMGET', keys.config, 'max_tasks', 'max_bytes', 'max_tenant_tasks')
limits = { setting(limits[1], 'max_tasks'), setting(limits[2], 'max_bytes'), setting(limits[3], 'max_tenant_tasks') }
local tasks = waiting + redis.call('XLEN', keys.streams[class == '1' and 2 or 1])
if tasks >= limits[1] then return { 'busy', 'max_tasks', tasks, limits[1] } end
local held = tasks > 0 and try('HGET', keys.load, 'bytes')
local bytes = whole(held, 0, 0)
if bytes + #task > limits[2] then return { 'busy', 'max_bytes', bytes, limits[2] } end
local quota = limits[3]
if quota > 0 then
  local live = try('ZCOUNT', keys.tenant, '(' .. now_ms(), '+inf') or 0
  if live >= quota then return { 'busy', 'max_tenant_tasks', live, quota } end
end

-- The first write is one that Redis refuses at maxmemory, so that nothing is done by half.
local entry = queue()
if tasks == 0 then redis.call('DEL', keys.load) end
redis.call('HSET', keys.job, 'state', 'queued', 'digest', digest, 'class', class, 'bytes', #task, 'questions', questions,
  'entry', entry)
if timeout_ms ~= '' then redis.call('HSET', keys.job, 'deadline', now_ms() + tonumber(timeout_ms)) end
redis.call('PEXPIRE', keys.job, RECORD_TTL_MS)
if quota > 0 then write('ZREMRANGEBYSCORE', keys.tenant, '-inf', now_ms()) end
count_in(keys.tenant, keys.load, keys.job_id, #task, questions)
return { 'queued', entry }
