-- What the scripts share. Put in front of each of them before it is loaded.

local GROUP = 'workers'
-- Consumer that holds what was given back, until another worker claims it.
local RELEASED = 'released'
local RECORD_TTL_MS = 7 * 24 * 3600 * 1000
-- Consumers that hold entries of a version, until a worker comes that knows it: the name, then the version.
local OF_VERSION = 'version:'
local VERSIONS = '^[1-9]%d?%d?$'
-- What a setting is where there is none, or something that is not one: a field written by hand costs no worker its life.
local DEFAULTS = {
  lease_ms = 30000, max_tasks = 100000, max_bytes = 1073741824, max_tenant_tasks = 0, result_ttl_ms = 86400000,
  max_dead_tasks = 10000, max_dead_bytes = 67108864,
}
local MAX_NUMBER = 1e15
-- Bytes of a trace context; a longer one is left out.
local MAX_TRACE = 1024
-- Dead letters dropped at a time, at most.
local MAX_DROPPED = 100
-- From this delivery on a task is a suspect: whoever had it before may have died of it.
local SUSPECT = 3

local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- A whole number from `lowest` on, or `default`: whoever wrote it.
local function whole(value, lowest, default)
  local number = type(value) == 'string' and not string.find(value, '%D') and tonumber(value)
  if number and number >= lowest and number <= MAX_NUMBER then return number end
  return default
end

local function setting(value, name)
  local lowest = name == 'lease_ms' and 100 or name == 'max_tenant_tasks' and 0 or 1
  return whole(value, lowest, DEFAULTS[name])
end

local function configured(config, name)
  return setting(redis.call('HGET', config, name), name)
end

-- Add to a counter. One that is not a number, or not in a hash, begins anew: it is only for looking at.
local function add(key, field, number)
  if number == 0 then return end
  local added = redis.pcall('HINCRBY', key, field, number)
  if type(added) == 'table' and added.err then
    local there = redis.pcall('HDEL', key, field)
    if type(there) == 'table' and there.err then redis.call('DEL', key) end
    redis.pcall('HSET', key, field, string.format('%.0f', math.max(0, number)))
  end
end

-- Consumer and deliveries of a pending entry; nil if it is not pending.
local function lease(stream, entry)
  local found = redis.call('XPENDING', stream, GROUP, entry, entry, 1)[1]
  if found then return found[2], found[4] end
end

-- Take an entry out of the stream and the group. Comes first among the writes of a script: it is allowed at
-- maxmemory, and so is whatever a script does after a write.
local function drop(stream, entry)
  if not entry then return end
  redis.call('XACK', stream, GROUP, entry)
  redis.call('XDEL', stream, entry)
end

local function fields_of(entry)
  local fields = {}
  for i = 1, #entry, 2 do fields[entry[i]] = entry[i + 1] end
  return fields
end

-- A consumer's name among others, as one word.
local function word_of(consumer)
  return (string.gsub(consumer, '%s', '_'))
end

-- Of a record's `ran`, the consumers that began the job and have not said that it ended: all but one. What a worker of
-- an earlier release writes there, `1`, counts as one of them.
local function others_in(ran, me)
  local names = {}
  for name in string.gmatch(ran or '', '%S+') do
    if name ~= word_of(me) then table.insert(names, name) end
  end
  return names
end

-- Write `ran`. It goes first, for that is allowed at maxmemory; an empty one would count with earlier releases.
local function note_ran(job, names)
  redis.call('HDEL', job, 'ran')
  if #names > 0 then redis.call('HSET', job, 'ran', table.concat(names, ' ')) end
end

-- Bytes that a dead letter counts for.
local function weight(fields)
  return #(fields.task or '') + #(fields.job or '') + 256
end

-- Take the oldest dead letters out while there are too many; `dropped` counts them. Their number is that of the stream, their
-- bytes are counted beside it: a count that went astray is put right where the stream is empty, or far too short for it.
local function trim_dead(keys)
  local most = configured(keys.config, 'max_dead_tasks')
  local most_bytes = configured(keys.config, 'max_dead_bytes')
  for _ = 1, MAX_DROPPED do
    local length = redis.call('XLEN', keys.dead)
    local bytes = whole(redis.call('HGET', keys.dead_load, 'bytes'), 0, 0)
    if length == 0 then
      redis.call('HDEL', keys.dead_load, 'bytes')
      return
    end
    if length <= most and bytes <= most_bytes then return end
    local oldest = redis.call('XRANGE', keys.dead, '-', '+', 'COUNT', 1)[1]
    redis.call('XDEL', keys.dead, oldest[1])
    add(keys.dead_load, 'bytes', -weight(fields_of(oldest[2])))
    add(keys.dead_load, 'dropped', 1)
  end
end

-- Move an entry to the dead letters. Where that cannot be, as in the place of a stream that is something else, it is counted
-- as dropped: what is dead must not stop the living.
local function bury(keys, fields, reason, worker, model, deliveries)
  local added = redis.pcall('XADD', keys.dead, '*', 'v', fields.v or '', 'job', fields.job or '', 'task', fields.task or '',
    'crc', fields.crc or '', 'questions', fields.questions or '0', 'reason', reason, 'worker', worker, 'model', model,
    'deliveries', deliveries)
  if type(added) == 'table' and added.err then
    add(keys.dead_load, 'dropped', 1)
    return
  end
  add(keys.dead_load, 'bytes', weight(fields))
  trim_dead(keys)
end

-- A live job is one of its tenant's, and part of the load.
local function count_in(tenant, load, job, bytes, questions)
  redis.call('ZADD', tenant, now_ms() + RECORD_TTL_MS, job)
  redis.call('PEXPIRE', tenant, RECORD_TTL_MS)
  add(load, 'bytes', bytes)
  add(load, 'questions', questions)
end

-- Whether a consumer stands for workers that know a version.
local function of_version(consumer)
  return string.sub(consumer, 1, #OF_VERSION) == OF_VERSION
end

-- An empty queue has no load, whatever went astray in the counting.
local function settle(load, streams)
  if redis.call('XLEN', streams[1]) + redis.call('XLEN', streams[2]) == 0 then redis.call('DEL', load) end
end

local function count_out(tenant, load, job, bytes, questions, streams)
  redis.call('ZREM', tenant, job)
  add(load, 'bytes', -bytes)
  add(load, 'questions', -questions)
  settle(load, streams)
end

-- The keys of one job, in the order in which every script about a job gets them; its name and its task's id.
local function job_keys()
  local job, id = string.match(KEYS[1], '}:job:([^/]*/[^/]*/([^/]+))$')
  if not job then error('the key of a job does not end in tenant/run/task') end
  return {
    job_id = job, task_id = id, job = KEYS[1], streams = { KEYS[2], KEYS[3] }, results = KEYS[4], events = KEYS[5],
    tenant = KEYS[6], load = KEYS[7], dead = KEYS[8], config = KEYS[9], dead_load = KEYS[8] .. ':load',
  }
end

local function record_of(keys)
  local found = redis.call('HMGET', keys.job, 'state', 'digest', 'entry', 'class', 'bytes', 'questions', 'by')
  if not found[1] then return nil end
  local class = found[4] == '1' and 1 or 2
  return {
    state = found[1], digest = found[2], entry = found[3] and string.find(found[3], '^%d+%-%d+$') and found[3], class = class,
    bytes = whole(found[5], 0, 0), questions = whole(found[6], 0, 0), by = found[7], stream = keys.streams[class],
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

-- The record of a job in an entry; nothing where it has none, or something else stands in its place.
local function claimed_record(tag, job)
  local found = redis.pcall('HMGET', tag .. ':job:' .. job, 'state', 'entry', 'deadline', 'cancel', 'ran')
  return not found.err and found[1] and found or nil
end

-- Sorts entries that `me`, who knows `version`, has just been given: those to compute, orphans, leftovers. Those in another
-- version go to `aside(class, entry, version, deliveries)`.
local function sorter(tag, streams, me, version, aside)
  local now = now_ms()
  local sorted = { {}, 0, 0 }
  local keys = { dead = tag .. ':dead', dead_load = tag .. ':dead:load', config = tag .. ':config' }
  local function take(class, entry, raw, deliveries)
    local fields = fields_of(raw)
    local job = string.match(fields.job or '', '^[^/]*/[^/]*/[^/]+$')
    local record = job and claimed_record(tag, job)
    local foreign = fields.v ~= version and string.match(fields.v or '', VERSIONS)
    if not record then
      drop(streams[class], entry)
      bury(keys, fields, job and 'no job record' or 'no job', '', '', deliveries)
      settle(tag .. ':load', streams)
      sorted[2] = sorted[2] + 1
    elseif record[1] ~= 'queued' or record[2] ~= entry then
      drop(streams[class], entry)
      sorted[3] = sorted[3] + 1
    elseif foreign then
      aside(class, entry, fields.v, deliveries)
    else
      local deadline = whole(record[3], 0, nil)
      local remaining = deadline and math.max(0, deadline - now) or -1
      table.insert(sorted[1], { class, entry, deliveries, remaining, fields.v or '', job, fields.task or '',
        fields.crc or '', record[4] and 1 or 0, #others_in(record[5], me), fields.trace or '' })
    end
  end
  return sorted, take
end
