-- Make a queue, or find it as it is. Writes nothing that is there already, so that it works at maxmemory.
-- KEYS: config, interactive, bulk. ARGV: the settings of `names`
local names = { 'lease_ms', 'max_tasks', 'max_bytes', 'max_tenant_tasks', 'result_ttl_ms', 'max_dead_tasks', 'max_dead_bytes' }
for i, name in ipairs(names) do
  if redis.call('HEXISTS', KEYS[1], name) == 0 then redis.call('HSET', KEYS[1], name, ARGV[i]) end
end
for i = 2, 3 do
  if redis.call('EXISTS', KEYS[i]) == 0 or #redis.call('XINFO', 'GROUPS', KEYS[i]) == 0 then
    redis.call('XGROUP', 'CREATE', KEYS[i], GROUP, '0', 'MKSTREAM') -- 0: nothing that waits is skipped
  end
end
local found = redis.call('HMGET', KEYS[1], unpack(names))
for i, name in ipairs(names) do found[i] = string.format('%.0f', setting(found[i], name)) end
return found
