-- End a job. A `done` stands whoever brings it, if it is the first; any other end only by the lease holder.
-- KEYS: job_keys. ARGV: consumer entry state blob
local keys = job_keys()
local me, entry, state, blob = unpack(ARGV)
local record = record_of(keys)
local refused = objection(keys, record, entry, state ~= 'done' and me or nil)
if refused then return refused end
finish(keys, record, entry, state, me, blob)
return { 'ok' }
