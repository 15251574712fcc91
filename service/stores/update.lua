-- KEYS[1]: the entity. ARGV: last_update, then name, verb and argument of each change.
-- Returns the name of an attribute in conflict, with nothing changed; or 0 when all is done.
-- memory.py does the same to a dict; test_stores.py drives both.
local limit = 9007199254740992 -- 2^53

local function number(json)
  local digits = string.match(json, '^"(%-?%d+%.?%d*)"$')
    or string.match(json, '^"(%-?%d+%.?%d*[eE][+-]?%d+)"$')
  return digits and tonumber(digits)
end

local function text(total)
  if total == 0 then return '0' end -- -0 is 0
  if total == math.floor(total) then return string.format('%.0f', total) end
  return string.format('%.15g', total)
end

local function sum(old, argument)
  local term = number(old or '"0"')
  if not term then return nil end
  local total = term + tonumber(argument)
  if not (math.abs(term) < limit and math.abs(total) < limit) then return nil end
  return '"' .. text(total) .. '"'
end

local function join(old, argument, verb)
  old = old or '[]'
  if string.sub(old, 1, 1) ~= '[' then return nil end
  local before, after = string.sub(old, 2, -2), argument
  if verb == 'prepend' then before, after = after, before end
  local comma = (before ~= '' and after ~= '') and ',' or ''
  return '[' .. before .. comma .. after .. ']'
end

local written = {}
for i = 2, #ARGV, 3 do
  local name, verb, argument = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if verb == 'set' then
    written[name] = argument
  elseif verb ~= 'delete' then
    local old = redis.call('HGET', KEYS[1], name)
    local value = verb == 'add' and sum(old, argument)
    if verb ~= 'add' then value = join(old, argument, verb) end
    if not value then return name end
    written[name] = value
  end
end

for i = 2, #ARGV, 3 do
  local name = ARGV[i]
  if written[name] then
    redis.call('HSET', KEYS[1], name, written[name])
  else
    redis.call('HDEL', KEYS[1], name)
  end
end
redis.call('HSET', KEYS[1], 'last_update', ARGV[1])
return 0
