-- KEYS[1]: the entity. ARGV: last_update, then name and value of each attribute.
local existed = redis.call('EXISTS', KEYS[1])
-- A script that has written something may go on beyond maxmemory, so the first write has to be
-- one that Redis refuses when its memory is full, as DEL is not.
local first = redis.pcall('HSET', KEYS[1], 'last_update', ARGV[1])
if type(first) == 'table' and first.err and not string.find(first.err, 'WRONGTYPE', 1, true) then
  return first
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'last_update', unpack(ARGV))
return existed
