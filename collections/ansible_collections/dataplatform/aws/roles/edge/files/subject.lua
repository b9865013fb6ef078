-- What a verified subject is to the platform. Two converters, both "" for what breaks the policy below:
--
--   platform_entity  one entity of NiFi's X-ProxiedEntitiesChain: <CN=alice,OU=DataEng,O=Platform>, or
--                    <<base64 of the UTF-8>> when it holds non-ASCII letters (NiFi reads header bytes as
--                    ISO 8859-1: names would collide in "?")
--   platform_role    the role that access.yml gives it; EDGE_ROLES names the file with its rules
--
-- In:  an RFC 2253 text as an ALB (or HAProxy) prints it: CN=alice,OU=DataEng,O=Platform,
--      bytes outside ASCII either as UTF-8 or as \XX pairs.
--
-- The policy is strict so that no two certificates can read as the same identity: exactly one CN,
-- OU and O in this order, a small set of characters, and no OU of the platform's own identities.

local RULES_FILE = os.getenv("EDGE_ROLES")
local MAX_LENGTH = 64 -- characters of one attribute (RFC 5280, ub-common-name and friends)
local ALLOWED_ASCII = "^[%w ._@'&-]$"
local RESERVED_OU = "platform-"

-- Code points that are no letters or digits of a script, or that NFKC folds to ASCII: a full-width
-- "p" would otherwise dress up as the reserved prefix. tests/unit/roles proves that the list is complete.
local REFUSED = {
  {0x0080, 0x00bf}, {0x00d7, 0x00d7}, {0x00f7, 0x00f7}, {0x0132, 0x0133}, {0x013f, 0x0140}, {0x0149, 0x0149},
  {0x017f, 0x017f}, {0x01c4, 0x01cc}, {0x01f1, 0x01f3}, {0x02b0, 0x02ff}, {0x0340, 0x0345}, {0x034f, 0x034f},
  {0x037a, 0x037a}, {0x037e, 0x037e}, {0x0384, 0x0385}, {0x061c, 0x061c}, {0x115f, 0x1160}, {0x1680, 0x1680},
  {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x1d2c, 0x1d6a}, {0x1d78, 0x1d78}, {0x1d9b, 0x1dbf}, {0x1e9a, 0x1e9b},
  {0x1fbd, 0x1fc1}, {0x1fcd, 0x1fcf}, {0x1fdd, 0x1fdf}, {0x1fed, 0x1fef}, {0x1ffd, 0x1ffe}, {0x2000, 0x2bff},
  {0x2c7c, 0x2c7d}, {0x2e00, 0x2e7f}, {0x3000, 0x3004}, {0x3008, 0x3020}, {0x309b, 0x309c}, {0x3164, 0x3164},
  {0x3200, 0x33ff}, {0xa69c, 0xa69d}, {0xa770, 0xa770}, {0xa7f1, 0xa7f4}, {0xa7f8, 0xa7f9}, {0xab5c, 0xab5f},
  {0xab69, 0xab69}, {0xd800, 0xf8ff}, {0xfb00, 0xfe70}, {0xfe72, 0xfe72}, {0xfe74, 0xfe74}, {0xfe76, 0xfe76},
  {0xfe78, 0xfe78}, {0xfe7a, 0xfe7a}, {0xfe7c, 0xfe7c}, {0xfe7e, 0xfe7e}, {0xfeff, 0xffff}, {0x10780, 0x107bf},
  {0x1bca0, 0x1bca3}, {0x1cc00, 0x1cebf}, {0x1d000, 0x1d7ff}, {0x1e030, 0x1e06f}, {0x1ee00, 0x1eeff},
  {0x1f000, 0x1fbff}, {0xe0000, 0x10ffff},
}

local function refused(point)
  for _, range in ipairs(REFUSED) do
    if point >= range[1] and point <= range[2] then return true end
  end
  return false
end

-- Replaces \XX of bytes outside ASCII; every other backslash would be a character the policy forbids.
local function unescape(text)
  local out, at = {}, 1
  while at <= #text do
    local char = text:sub(at, at)
    if char == "\\" then
      local hex = text:match("^%x%x", at + 1)
      local byte = hex and tonumber(hex, 16)
      if not byte or byte < 0x80 then return nil end
      out[#out + 1] = string.char(byte)
      at = at + 3
    else
      out[#out + 1] = char
      at = at + 1
    end
  end
  return table.concat(out)
end

local function valid_value(value)
  local length = utf8.len(value)
  if not length or length < 1 or length > MAX_LENGTH then return false end
  if value:sub(1, 1) == " " or value:sub(-1) == " " then return false end
  for _, point in utf8.codes(value) do
    if point < 0x80 then
      if not string.char(point):match(ALLOWED_ASCII) then return false end
    elseif refused(point) then
      return false
    end
  end
  return true
end

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function base64(text)
  local out = {}
  for at = 1, #text, 3 do
    local a, b, c = text:byte(at, at + 2)
    local bits = (a << 16) | ((b or 0) << 8) | (c or 0)
    local function digit(shift)
      local index = (bits >> shift) & 63
      return ALPHABET:sub(index + 1, index + 1)
    end
    out[#out + 1] = digit(18) .. digit(12) .. (b and digit(6) or "=") .. (c and digit(0) or "=")
  end
  return table.concat(out)
end

-- Returns the text with its letters as UTF-8, and CN, OU and O; nil when the policy refuses the subject.
local function parse(subject)
  if type(subject) ~= "string" then return nil end
  local text = unescape(subject)
  if not text then return nil end
  local cn, ou, o = text:match("^CN=([^,=]*),OU=([^,=]*),O=([^,=]*)$")
  if not cn or not (valid_value(cn) and valid_value(ou) and valid_value(o)) then return nil end
  if ou:lower():sub(1, #RESERVED_OU) == RESERVED_OU then return nil end
  return text, { common_name = cn, organizational_unit = ou, organization = o }
end

local function entity(subject)
  local text = parse(subject)
  if not text then return "" end
  if text:find("[\128-\255]") then return "<<" .. base64(text) .. ">>" end
  return "<" .. text .. ">"
end

local ATTRIBUTES = { common_name = true, organizational_unit = true, organization = true }

-- One line of the rules: ROLE, then ATTRIBUTE=VALUE fields behind tabs. What it cannot mean stops HAProxy's start.
local function read_rule(line, where)
  local role, rest = line:match("^([%w_-]+)\t(.+)$")
  if not role then error(where .. ": needs a role and, behind tabs, at least one ATTRIBUTE=VALUE") end
  local wanted = {}
  for field in rest:gmatch("[^\t]+") do
    local attribute, value = field:match("^([%l_]+)=(.+)$")
    if not ATTRIBUTES[attribute or ""] then error(where .. ": cannot compare '" .. field .. "'") end
    wanted[attribute] = wanted[attribute] or {}
    wanted[attribute][value] = true
  end
  return { role = role, wanted = wanted }
end

local function read_rules(path)
  local rules, number = {}, 0
  for line in io.lines(path) do
    number = number + 1
    if line ~= "" and line:sub(1, 1) ~= "#" then rules[#rules + 1] = read_rule(line, path .. ":" .. number) end
  end
  return rules
end

local function matches(wanted, attributes)
  for attribute, values in pairs(wanted) do
    if not values[attributes[attribute]] then return false end
  end
  return true
end

local RULES = RULES_FILE and read_rules(RULES_FILE) or {}

local function role(subject)
  local text, attributes = parse(subject)
  if not text then return "" end
  for _, rule in ipairs(RULES) do
    if matches(rule.wanted, attributes) then return rule.role end
  end
  return ""
end

core.register_converters("platform_entity", entity)
core.register_converters("platform_role", role)
