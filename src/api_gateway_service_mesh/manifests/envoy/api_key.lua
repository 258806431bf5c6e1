-- Callers who show a key. What is accepted stands in the route's context, by the SHA-256 of the key: no key is known here.
local bit = require("bit")
local band, bor, bxor, bnot = bit.band, bit.bor, bit.bxor, bit.bnot
local rshift, lshift, ror, tobit = bit.rshift, bit.lshift, bit.ror, bit.tobit

-- FIPS 180-4, section 4.2.2.
local K = {
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
}

local function sha256(text)
  local length = #text
  text = text .. "\128" .. string.rep("\0", (55 - length) % 64) .. "\0\0\0\0"
    .. string.char(band(rshift(length * 8, 24), 255), band(rshift(length * 8, 16), 255),
                   band(rshift(length * 8, 8), 255), band(length * 8, 255))
  local h = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}
  local w = {}
  for chunk = 1, #text, 64 do
    for i = 0, 15 do
      local a, b, c, d = string.byte(text, chunk + i * 4, chunk + i * 4 + 3)
      w[i + 1] = bor(lshift(a, 24), lshift(b, 16), lshift(c, 8), d)
    end
    for i = 17, 64 do
      local x, y = w[i - 15], w[i - 2]
      local s0 = bxor(ror(x, 7), ror(x, 18), rshift(x, 3))
      local s1 = bxor(ror(y, 17), ror(y, 19), rshift(y, 10))
      w[i] = tobit(w[i - 16] + s0 + w[i - 7] + s1)
    end
    local a, b, c, d, e, f, g, hh = h[1], h[2], h[3], h[4], h[5], h[6], h[7], h[8]
    for i = 1, 64 do
      local s1 = bxor(ror(e, 6), ror(e, 11), ror(e, 25))
      local ch = bxor(band(e, f), band(bnot(e), g))
      local t1 = tobit(hh + s1 + ch + K[i] + w[i])
      local s0 = bxor(ror(a, 2), ror(a, 13), ror(a, 22))
      local maj = bxor(band(a, b), band(a, c), band(b, c))
      hh, g, f, e, d, c, b, a = g, f, e, tobit(d + t1), c, b, a, tobit(t1 + tobit(s0 + maj))
    end
    local add = {a, b, c, d, e, f, g, hh}
    for i = 1, 8 do h[i] = tobit(h[i] + add[i]) end
  end
  local out = {}
  for i = 1, 8 do out[i] = bit.tohex(h[i]) end
  return table.concat(out)
end

local function decoded(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

-- The path without the parameters that keys are shown in, and what stood there.
local function stripped(path, keys, shown)
  local base, query = path:match("^([^?]*)%?(.*)$")
  if base == nil then return path end
  local kept = {}
  for part in (query .. "&"):gmatch("([^&]*)&") do
    local name, value = part:match("^([^=]*)=?(.*)$")
    local place = "q:" .. decoded(name)
    if keys[place] ~= nil then
      if shown[place] == nil then shown[place] = decoded(value) end
    else
      kept[#kept + 1] = part
    end
  end
  if #kept == 0 then return base end
  return base .. "?" .. table.concat(kept, "&")
end

local function refuse(handle, kind, detail, tokens, demand)
  local challenge = "ApiKey realm=\"agw\""
  if tokens then challenge = "Bearer realm=\"agw\", " .. challenge end
  handle:respond(
    {[":status"] = "401", ["content-type"] = "application/problem+json", ["cache-control"] = "no-store",
     ["www-authenticate"] = challenge},
    "{\"type\": \"urn:agw:problem:" .. kind .. "\", \"title\": \"Unauthorized\", \"status\": 401, \"detail\": \""
      .. detail .. "\", \"policy\": \"" .. demand .. "\"}\n")
end

function envoy_on_request(handle)
  local context = handle:filterContext()
  local keys = context["keys"]
  if keys == nil then return end
  local headers, metadata = handle:headers(), handle:streamInfo():dynamicMetadata()
  local shown, any = {}, false
  for place, _ in pairs(keys) do
    if place:sub(1, 2) == "h:" then
      shown[place] = headers:get(place:sub(3))
    end
  end
  local path = headers:get(":path")
  local without = stripped(path, keys, shown)
  if without ~= path then headers:replace(":path", without) end
  for place, _ in pairs(shown) do
    any = true
    if place:sub(1, 2) == "h:" then headers:remove(place:sub(3)) end
  end
  headers:remove("x-api-key-owner")
  local tokens = context["tokens"]
  local payloads = metadata:get("envoy.filters.http.jwt_authn")
  if payloads ~= nil then
    for _, iri in ipairs(tokens) do
      if payloads[iri] ~= nil then return end
    end
  end
  for place, key in pairs(shown) do
    local found = #key <= 1024 and keys[place][sha256(key)] or nil
    if found ~= nil and (found["expires"] == nil or os.time() < found["expires"]) then
      metadata:set("agw", "api-key", found["iri"])
      if found["owner"] ~= nil then metadata:set("agw", "api-key-owner", found["owner"]) end
      if found["owner"] ~= nil then headers:replace("x-api-key-owner", found["owner"]) end
      return
    end
  end
  if any then
    refuse(handle, "invalid-credentials", "what was shown is not accepted here", #tokens > 0, context["demand"])
  else
    refuse(handle, "authentication-required", "this takes a key", #tokens > 0, context["demand"])
  end
end
