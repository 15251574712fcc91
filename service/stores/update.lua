-- KEYS[1]: the entity. ARGV: last_update, the most bytes and attributes an entity may have, then
-- name, verb and argument of each change.
-- Returns the name of an attribute in conflict, or 1 when the entity would become too large, with
-- nothing changed; or 0 when all is done.
-- memory.py does the same to a dict; test_differential.py drives both.
-- What it costs is linear in the entity and the changes, both of which are bounded: no pattern
-- here can match one text in two ways, and none sees a text longer than a number.
local limit = 9007199254740992 -- 2^53
local longest = 66 -- a number of 64 characters, and its quotes

local function number(json)
  if #json > longest then return nil end
  return tonumber(string.match(json, '^"(%-?%d[%d.eE+-]*)"$') or '')
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

local old, size, count = {}, 0, 0
local members = redis.call('HGETALL', KEYS[1])
for i = 1, #members, 2 do
  old[members[i]] = members[i + 1]
  if members[i] ~= 'last_update' then
    size, count = size + #members[i] + #members[i + 1], count + 1
  end
end

local size_now, count_now = size, count
local set, removed = {'last_update', ARGV[1]}, {}
for i = 4, #ARGV, 3 do
  local name, verb, argument = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local before, after = old[name], nil
  if verb == 'set' then
    after = argument
  elseif verb == 'add' then
    after = sum(before, argument)
  elseif verb ~= 'delete' then
    after = join(before, argument, verb)
  end
  if not after and verb ~= 'delete' then return name end
  if before then size, count = size - #name - #before, count - 1 end
  if after then
    size, count = size + #name + #after, count + 1
    set[#set + 1], set[#set + 2] = name, after
  elseif before then
    removed[#removed + 1] = name
  end
end
if (size > tonumber(ARGV[2]) and size > size_now)
  or (count > tonumber(ARGV[3]) and count > count_now) then
  return 1
end

-- HSET before HDEL: see replace.lua.
redis.call('HSET', KEYS[1], unpack(set))
if #removed > 0 then redis.call('HDEL', KEYS[1], unpack(removed)) end
return 0
