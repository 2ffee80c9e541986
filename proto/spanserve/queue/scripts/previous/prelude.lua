-- What the scripts share. Put in front of each of them before it is loaded.

local GROUP = 'workers'
-- Consumer that holds what was given back, until another worker claims it.
local RELEASED = 'released'
local RECORD_TTL_MS = 7 * 24 * 3600 * 1000
-- From this delivery on a task is a suspect: whoever had it before may have died of it.
local SUSPECT = 3

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function configured(config, name)
  return tonumber(redis.call('HGET', config, name))
end

-- Consumer and deliveries of a pending entry; nil if it is not pending.
local function lease(stream, entry)
  local found = redis.call('XPENDING', stream, GROUP, entry, entry, 1)[1]
  if found then return found[2], found[4] end
end

-- Take an entry out of the stream and the group. Comes first among the writes of a script: it is allowed at
-- maxmemory, and so is whatever a script does after a write.
local function drop(stream, entry)
  redis.call('XACK', stream, GROUP, entry)
  redis.call('XDEL', stream, entry)
end

local function fields_of(entry)
  local fields = {}
  for i = 1, #entry, 2 do fields[entry[i]] = entry[i + 1] end
  return fields
end

local function bury(dead, fields, reason, worker, model, deliveries)
  redis.call('XADD', dead, '*', 'v', fields.v or '', 'job', fields.job or '', 'task', fields.task or '', 'crc',
    fields.crc or '', 'questions', fields.questions or '0', 'reason', reason, 'worker', worker, 'model', model,
    'deliveries', deliveries)
end

-- A live job is one of its tenant's, and part of the load.
local function count_in(tenant, load, job, bytes, questions)
  redis.call('ZADD', tenant, now_ms() + RECORD_TTL_MS, job)
  redis.call('PEXPIRE', tenant, RECORD_TTL_MS)
  redis.call('HINCRBY', load, 'bytes', bytes)
  redis.call('HINCRBY', load, 'questions', questions)
end

-- An empty queue has no load, whatever went astray in the counting.
local function settle(load, streams)
  if redis.call('XLEN', streams[1]) + redis.call('XLEN', streams[2]) == 0 then redis.call('DEL', load) end
end

local function count_out(tenant, load, job, bytes, questions, streams)
  redis.call('ZREM', tenant, job)
  redis.call('HINCRBY', load, 'bytes', -bytes)
  redis.call('HINCRBY', load, 'questions', -questions)
  settle(load, streams)
end

-- The keys of one job, in the order in which every script about a job gets them; its name and its task's id.
local function job_keys()
  local job, id = string.match(KEYS[1], '}:job:([^/]*/[^/]*/([^/]+))$')
  if not job then error('the key of a job does not end in tenant/run/task') end
  return {
    job_id = job, task_id = id, job = KEYS[1], streams = { KEYS[2], KEYS[3] }, results = KEYS[4], events = KEYS[5],
    tenant = KEYS[6], load = KEYS[7], dead = KEYS[8], config = KEYS[9],
  }
end

local function record_of(keys)
  local found = redis.call('HMGET', keys.job, 'state', 'digest', 'entry', 'class', 'bytes', 'questions', 'by')
  if not found[1] then return nil end
  return {
    state = found[1], digest = found[2], entry = found[3], class = tonumber(found[4]),
    bytes = tonumber(found[5]), questions = tonumber(found[6]), by = found[7],
    stream = keys.streams[tonumber(found[4])],
  }
end

-- The end of a queued job: the one place where a state becomes final.
local function finish(keys, record, entry, state, by, blob)
  drop(record.stream, entry)
  if record.entry ~= entry then drop(record.stream, record.entry) end
  local ttl = configured(keys.config, 'result_ttl_ms')
  redis.call('HSET', keys.job, 'state', state, 'by', by)
  redis.call('HDEL', keys.job, 'entry', 'deadline', 'cancel', 'ran')
  redis.call('PEXPIRE', keys.job, 2 * ttl)
  if blob ~= '' then
    redis.call('HSETNX', keys.results, keys.task_id, blob)
    redis.call('PEXPIRE', keys.results, ttl)
  end
  redis.call('XADD', keys.events, '*', 'id', keys.task_id, 'state', state)
  redis.call('PEXPIRE', keys.events, ttl)
  count_out(keys.tenant, keys.load, keys.job_id, record.bytes, record.questions, keys.streams)
end

-- What stands against `me` ending this job as its lease holder: a reply to give, or nil.
local function objection(keys, record, entry, me)
  if not record then
    for _, stream in ipairs(keys.streams) do drop(stream, entry) end
    return { 'orphan' }
  end
  if record.state ~= 'queued' then
    drop(record.stream, entry)
    return { 'dup', record.state, record.by or '' }
  end
  if me and lease(record.stream, entry) ~= me then return { 'stale' } end
end

-- Sorts entries that a worker has just been given: those to compute, orphans, leftovers.
local function sorter(tag, streams)
  local now = now_ms()
  local sorted = { {}, 0, 0 }
  local function take(class, entry, raw, deliveries)
    local fields = fields_of(raw)
    local job = string.match(fields.job or '', '^[^/]*/[^/]*/[^/]+$')
    local record = job and redis.call('HMGET', tag .. ':job:' .. job, 'state', 'entry', 'deadline', 'cancel', 'ran')
    if not job or not record[1] then
      drop(streams[class], entry)
      bury(tag .. ':dead', fields, job and 'no job record' or 'no job', '', '', deliveries)
      settle(tag .. ':load', streams)
      sorted[2] = sorted[2] + 1
    elseif record[1] ~= 'queued' or record[2] ~= entry then
      drop(streams[class], entry)
      sorted[3] = sorted[3] + 1
    else
      local remaining = -1
      if record[3] then remaining = math.max(0, tonumber(record[3]) - now) end
      table.insert(sorted[1], { class, entry, deliveries, remaining, fields.v or '', job, fields.task or '',
        fields.crc or '', record[4] and 1 or 0, record[5] and 1 or 0 })
    end
  end
  return sorted, take
end
