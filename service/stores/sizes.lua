-- KEYS: entities. ARGV: a limit. Returns the bytes of memory that they take together, or, once
-- that is more than the limit, of as many as that takes. It reads none of them.
local size = 0
for i = 1, #KEYS do
  size = size + (redis.call('MEMORY', 'USAGE', KEYS[i], 'SAMPLES', 0) or 0)
  if size > tonumber(ARGV[1]) then break end
end
return size
