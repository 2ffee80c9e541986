-- End a job that brings down whatever runs it: its lease holder moves it to the dead letters.
-- KEYS: job_keys. ARGV: consumer entry blob reason model
local keys = job_keys()
local me, entry, blob, reason, model = unpack(ARGV)
local record = record_of(keys)
local refused = objection(keys, record, entry, me)
if refused then return refused end
local _, deliveries = lease(record.stream, entry)
local found = redis.call('XRANGE', record.stream, entry, entry)[1]
finish(keys, record, entry, 'dead', me, blob)
bury(keys, fields_of(found and found[2] or {}), reason, me, model, deliveries)
return { 'ok' }
