-- KEYS[1]: the entity. ARGV: last_update, then name and value of each attribute.
-- Returns whether there was such an entity.
local names = redis.pcall('HKEYS', KEYS[1])
if names.err then -- a key of another type gives way, as it would to SET
  redis.call('DEL', KEYS[1])
  names = {}
end
-- HSET before HDEL: a script that has written something may go on beyond maxmemory, so the first
-- write has to be one that Redis refuses when its memory is full, as HDEL and DEL are not.
redis.call('HSET', KEYS[1], 'last_update', unpack(ARGV))
if #names > 0 then
  local kept = {last_update = true}
  for i = 2, #ARGV, 2 do kept[ARGV[i]] = true end
  local removed = {}
  for i = 1, #names do
    if not kept[names[i]] then removed[#removed + 1] = names[i] end
  end
  for i = 1, #removed, 1000 do
    redis.call('HDEL', KEYS[1], unpack(removed, i, math.min(i + 999, #removed)))
  end
  return 1
end
return 0
