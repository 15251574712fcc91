-- KEYS[1]: the entity. ARGV: last_update, then name and value of each attribute, no name twice.
-- Returns whether there was such an entity.
local before = redis.pcall('HLEN', KEYS[1])
if type(before) == 'table' then -- a key of another type gives way, as it would to SET
  redis.call('DEL', KEYS[1])
  before = 0
end
-- HSET before HDEL: a script that has written something may go on beyond maxmemory, so the first
-- write has to be one that Redis refuses when its memory is full, as HDEL and DEL are not.
local added = redis.call('HSET', KEYS[1], 'last_update', unpack(ARGV))
if before + added > (#ARGV + 1) / 2 then -- it has fields that are not named: nearly never
  local kept = {last_update = true}
  for i = 2, #ARGV, 2 do kept[ARGV[i]] = true end
  local names, removed = redis.call('HKEYS', KEYS[1]), {}
  for i = 1, #names do
    if not kept[names[i]] then removed[#removed + 1] = names[i] end
  end
  for i = 1, #removed, 1000 do
    redis.call('HDEL', KEYS[1], unpack(removed, i, math.min(i + 999, #removed)))
  end
end
return before > 0 and 1 or 0
