-- Start leases anew; only of entries that the consumer still holds.
-- KEYS: a stream, then the job of each entry. ARGV: consumer, entries
local me, stream = ARGV[1], KEYS[1]
local lost, cancelled = {}, {}
local claim = { 'XCLAIM', stream, GROUP, me, 0 }
for i = 2, #ARGV do
  if lease(stream, ARGV[i]) == me then
    table.insert(claim, ARGV[i])
    if try('HEXISTS', KEYS[i], 'cancel') == 1 then table.insert(cancelled, ARGV[i]) end
  else
    table.insert(lost, ARGV[i])
  end
end
if #claim > 5 then
  table.insert(claim, 'JUSTID') -- without it every renewal would count as a delivery
  redis.call(unpack(claim))
end
return { lost, cancelled }
