-- KEYS[1]: the entity. ARGV: last_update, then name and value of each attribute.
local existed = redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'last_update', ARGV[1])
for i = 2, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
end
return existed
