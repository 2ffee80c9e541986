-- What the scripts share. Put in front of each of them before it is loaded.

local GROUP = 'workers'
-- Consumer that holds what was given back, until another worker claims it.
local RELEASED = 'released'
local RECORD_TTL_MS = 7 * 24 * 3600 * 1000
-- Consumers that hold entries of a version, until a worker comes that knows it: the name, then the version.
local OF_VERSION = 'version:'
local VERSIONS = '^[1-9]%d?%d?$'
local MAX_NUMBER = 1e15
-- Bytes of a trace context; a longer one is left out.
local MAX_TRACE = 1024

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

-- What a setting is where there is none, or something that is not one: a field written by hand costs no worker its life.
local function default_of(name)
  return ({
    lease_ms = 30000, max_tasks = 100000, max_bytes = 1073741824, max_tenant_tasks = 0, result_ttl_ms = 86400000,
    max_dead_tasks = 10000, max_dead_bytes = 67108864,
  })[name]
end

local function setting(value, name)
  local lowest = name == 'lease_ms' and 100 or name == 'max_tenant_tasks' and 0 or 1
  return whole(value, lowest, nil) or default_of(name)
end

local function configured(config, name)
  return setting(redis.call('HGET', config, name), name)
end

-- What a command gives; nil where its key is of another type, which only a hand can have put there. Any other error says
-- nothing of the key, as when the user may not run the command. Run again, it is raised as the server words it.
local function try(command, key, ...)
  local done = redis.pcall(command, key, ...)
  if type(done) ~= 'table' or not done.err then return done end
  if string.find(done.err, '^WRONGTYPE') then return nil end
  return redis.call(command, key, ...)
end

-- A write to what is kept beside the records. A key of another type makes way.
local function write(command, key, ...)
  local done = try(command, key, ...)
  if done ~= nil then return done end
  redis.call('DEL', key)
  return redis.call(command, key, ...)
end

-- Add to a counter. One that is not a number, or not in a hash, begins anew: it is only for looking at.
local function add(key, field, number)
  if number == 0 then return end
  local added = redis.pcall('HINCRBY', key, field, number)
  if type(added) ~= 'table' or not added.err then return end
  if string.find(added.err, '^WRONGTYPE') then
    redis.call('DEL', key)
    number = math.max(0, number)
  elseif string.find(added.err, 'hash value is not an integer', 1, true) or string.find(added.err, 'overflow', 1, true) then
    redis.call('HDEL', key, field)
    number = math.max(0, number)
  end
  redis.call('HINCRBY', key, field, number) -- any other error is raised, as in `try`
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

-- A live job is one of its tenant's, and part of the load.
local function count_in(tenant, load, job, bytes, questions)
  write('ZADD', tenant, now_ms() + RECORD_TTL_MS, job)
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
  write('ZREM', tenant, job)
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
    tenant = KEYS[6], load = KEYS[7], dead = KEYS[8], config = KEYS[9],
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
    write('HSETNX', keys.results, keys.task_id, blob)
    redis.call('PEXPIRE', keys.results, ttl)
  end
  write('XADD', keys.events, '*', 'id', keys.task_id, 'state', state)
  redis.call('PEXPIRE', keys.events, ttl)
  count_out(keys.tenant, keys.load, keys.job_id, record.bytes, record.questions, keys.streams)
end
