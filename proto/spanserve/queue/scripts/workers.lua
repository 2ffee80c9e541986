-- What the scripts of workers share. Between the prelude and each of them.

-- Dead letters dropped at a time, at most.
local MAX_DROPPED = 100
-- From this delivery on a task is a suspect: whoever had it before may have died of it.
local SUSPECT = 3

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
  local load = keys.dead .. ':load'
  local most = configured(keys.config, 'max_dead_tasks')
  local most_bytes = configured(keys.config, 'max_dead_bytes')
  for _ = 1, MAX_DROPPED do
    local length = redis.call('XLEN', keys.dead)
    local bytes = whole(redis.call('HGET', load, 'bytes'), 0, 0)
    if length == 0 then
      redis.call('HDEL', load, 'bytes')
      return
    end
    if length <= most and bytes <= most_bytes then return end
    local oldest = redis.call('XRANGE', keys.dead, '-', '+', 'COUNT', 1)[1]
    redis.call('XDEL', keys.dead, oldest[1])
    add(load, 'bytes', -weight(fields_of(oldest[2])))
    add(load, 'dropped', 1)
  end
end

-- Move an entry to the dead letters. Where that cannot be, as in the place of a stream that is something else, it is counted
-- as dropped: what is dead must not stop the living.
local function bury(keys, fields, reason, worker, model, deliveries)
  local load = keys.dead .. ':load'
  local added = redis.pcall('XADD', keys.dead, '*', 'v', fields.v or '', 'job', fields.job or '', 'task', fields.task or '',
    'crc', fields.crc or '', 'questions', fields.questions or '0', 'reason', reason, 'worker', worker, 'model', model,
    'deliveries', deliveries)
  if type(added) == 'table' and added.err then
    add(load, 'dropped', 1)
    return
  end
  add(load, 'bytes', weight(fields))
  trim_dead(keys)
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
  local found = try('HMGET', tag .. ':job:' .. job, 'state', 'entry', 'deadline', 'cancel', 'ran')
  return found and found[1] and found or nil
end

-- Sorts entries that `me`, who knows `version`, has just been given: those to compute, orphans, leftovers. Those in another
-- version go to `aside(class, entry, version, deliveries)`.
local function sorter(tag, streams, me, version, aside)
  local now = now_ms()
  local sorted = { {}, 0, 0 }
  local keys = { dead = tag .. ':dead', config = tag .. ':config' }
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
