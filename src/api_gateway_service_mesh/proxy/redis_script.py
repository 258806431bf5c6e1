"""The script that decides in Redis: the algorithms of `policies.rate_limit`, in integers of microseconds.

``KEYS[1]``: the key. ``ARGV``: the algorithm (b, f, s, c), the limit, the period in microseconds, what the request
costs, how many tokens may be owed, ``1`` where the request was admitted before and is only charged; for windows of the
calendar (c) when one began, when it ends and when the next one does. Time zones are the gateway's, the clock is the
server's: it says which of those windows it is, so that gateways whose clocks differ count in the same one.
Answer: microseconds to wait (0: admitted), what is left, microseconds until all is back. Keys expire with what they
hold, so the server forgets callers that are gone. Writing after ``TIME`` needs Redis 5 (effects are replicated).
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from api_gateway_service_mesh.model import LimitAlgorithm, RateLimit
from api_gateway_service_mesh.policies.calendar_window import boundaries

__all__ = ["SCRIPT", "script_arguments", "script_key"]

SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local kind, limit, period, cost = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local owed, charge = tonumber(ARGV[5]), ARGV[6] == '1'
local key = KEYS[1]
if kind == 'b' then
  local interval = period / limit
  local deepest = period + owed * interval
  local ahead = tonumber(redis.call('GET', key) or '0') - now
  if ahead < 0 then ahead = 0 elseif ahead > deepest then ahead = deepest end
  local wait = ahead + interval * cost - period
  if wait > interval * 0.001 and not charge then
    local left = math.max(0, math.floor((period - ahead) / interval + 0.001))
    return {math.max(1, math.ceil(wait)), left, math.ceil(ahead)}
  end
  ahead = math.min(ahead + interval * cost, deepest)
  redis.call('SET', key, string.format('%.0f', now + ahead), 'PX', math.ceil(ahead / 1000) + 1)
  return {0, math.max(0, math.floor((period - ahead) / interval + 0.001)), math.ceil(ahead)}
end
if kind == 'f' or kind == 'c' then
  local held = redis.call('HMGET', key, 'end', 'count')
  local ends, count = tonumber(held[1] or '0'), tonumber(held[2] or '0')
  if kind == 'f' then
    if ends <= now then ends, count = now + period, 0 elseif ends > now + period then ends = now + period end
  else
    local wanted = tonumber(ARGV[9])
    for at = 8, 7, -1 do if tonumber(ARGV[at]) > now then wanted = tonumber(ARGV[at]) end end
    if wanted <= now then wanted = wanted + (math.floor((now - wanted) / period) + 1) * period end
    if ends < wanted then count = 0 end
    ends = wanted
  end
  if count + cost > limit and not charge then return {ends - now, math.max(0, limit - count), ends - now} end
  count = count + cost
  if charge then count = math.min(count, limit + owed) end
  redis.call('HSET', key, 'end', string.format('%.0f', ends), 'count', count)
  redis.call('PEXPIRE', key, math.ceil((ends - now) / 1000) + 1)
  return {0, math.max(0, limit - count), ends - now}
end
local part = period / 10
local number = math.floor(now / part)
local held = redis.call('HGETALL', key)
local parts, total = {}, 0
for at = 1, #held, 2 do
  local which, count = tonumber(held[at]), tonumber(held[at + 1])
  if which < number - 10 then
    redis.call('HDEL', key, held[at])
  else
    parts[#parts + 1] = {which, count}
    total = total + count
  end
end
if charge then cost = math.max(0, math.min(cost, limit + owed - total)) end
if total + cost > limit and not charge then
  table.sort(parts, function(one, other) return one[1] < other[1] end)
  local over, wait = total + cost - limit, period
  for _, counted in ipairs(parts) do
    over = over - counted[2]
    if over <= 0 then wait = (counted[1] + 11) * part - now break end
  end
  return {math.max(1, math.ceil(wait)), math.max(0, limit - total), math.ceil(wait)}
end
redis.call('HINCRBY', key, string.format('%.0f', number), cost)
redis.call('PEXPIRE', key, math.ceil((period + part) / 1000) + 1)
return {0, math.max(0, limit - total - cost), math.ceil((number + 11) * part - now)}
"""

_KINDS = {LimitAlgorithm.TOKEN_BUCKET: "b", LimitAlgorithm.FIXED_WINDOW: "f", LimitAlgorithm.SLIDING_WINDOW: "s"}


def script_arguments(limit: RateLimit, cost: int, wall: float = 0.0, *, charge: bool = False) -> tuple[str | int, ...]:
    """``ARGV``. `wall`: what the gateway's clock on the wall shows; it matters to windows of the calendar alone."""
    period = limit.period_seconds if limit.windowed else limit.burst / limit.requests_per_second
    arguments = _kind(limit), limit.burst, max(1, round(period * 1e6)), cost, limit.debt, int(charge)
    if limit.calendar is None:
        return arguments
    moments = boundaries(limit.calendar, ZoneInfo(limit.zone), wall)
    return (*arguments, *(round(moment * 1e6) for moment in moments))


def script_key(limit: RateLimit, key_hash: int) -> str:
    """``KEYS[1]``: the limiter by its IRI, the caller by a hash alone. An algorithm has keys of its own, since what one
    keeps means nothing to another."""
    return f"agw:limit:{_kind(limit)}:{limit.iri}:{key_hash & 0xFFFF_FFFF_FFFF_FFFF:016x}"


def _kind(limit: RateLimit) -> str:
    return "c" if limit.calendar is not None else _KINDS[limit.algorithm]
