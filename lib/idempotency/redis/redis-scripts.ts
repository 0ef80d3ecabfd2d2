import { createHash } from 'node:crypto';

/** A Lua script with the name Redis keeps it under. */
export interface RedisScript {
  readonly lua: string;
  readonly sha: string;
}

/**
 * An entry is one string, readable with `GET`:
 *
 *     <claimed|free|done|parked|dead> <attempts> <level> <leaseUntil> <lapseMs> <token>
 *
 * `leaseUntil` is in milliseconds since the Unix epoch by the clock of Redis, the only one that counts;
 * `lapseMs` is how long a claim outlives its lease, so that its attempts do. What is due goes by the
 * key's own expiry.
 */
const ENTRY = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function read(key)
  local text = redis.call('GET', key)
  if not text then return nil end
  local state, attempts, level, leaseUntil, lapseMs, token =
    string.match(text, '^(%a+) (%d+) (%d+) (%d+) (%d+) (.*)$')
  if not state then error('this key holds something that is no claim: ' .. key) end
  return {
    state = state, attempts = tonumber(attempts), level = tonumber(level),
    leaseUntil = tonumber(leaseUntil), lapseMs = tonumber(lapseMs), token = token,
  }
end

local function write(key, entry, ttlMs)
  local text = string.format('%s %d %d %d %d %s',
    entry.state, entry.attempts, entry.level, entry.leaseUntil, entry.lapseMs, entry.token)
  redis.call('SET', key, text, 'PX', ttlMs)
end

local function lease(key, entry, leaseMs)
  entry.leaseUntil = now + leaseMs
  write(key, entry, leaseMs + math.max(leaseMs, entry.lapseMs))
end

local function heldBy(entry, token)
  return entry and entry.state == 'claimed' and entry.token == token
end
`;

/**
 * Arguments per key: token, leaseMs, level. Answers per key two numbers: 0 and the failed attempts; 1
 * and the rest of another's lease; 2, 3 or 4 (done, parked, dead) and 0.
 */
export const CLAIM = script(`
local CLOSED = { done = 2, parked = 3, dead = 4 }
local answers = {}
for i, key in ipairs(KEYS) do
  local token, leaseMs, level = ARGV[3 * i - 2], tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local entry = read(key) or { attempts = 0, level = 0, lapseMs = 0 }
  local closed = CLOSED[entry.state]
  if closed and (entry.state == 'done' or level <= entry.level) then
    answers[2 * i - 1], answers[2 * i] = closed, 0
  elseif entry.state == 'claimed' and entry.token ~= token and entry.leaseUntil > now then
    answers[2 * i - 1], answers[2 * i] = 1, entry.leaseUntil - now
  else
    if closed then entry.attempts, entry.lapseMs = 0, 0 end
    entry.state, entry.token = 'claimed', token
    lease(key, entry, leaseMs)
    answers[2 * i - 1], answers[2 * i] = 0, entry.attempts
  end
end
return answers
`);

/** Arguments per key: token, state, level, retentionMs. Answers 1 per key that was ours, free or absent. */
export const COMPLETE = script(`
local answers = {}
for i, key in ipairs(KEYS) do
  local token, state = ARGV[4 * i - 3], ARGV[4 * i - 2]
  local entry = read(key)
  if entry and entry.state ~= 'free' and entry.token ~= token then
    answers[i] = 0
  else
    local mark = {
      state = state, attempts = 0, level = tonumber(ARGV[4 * i - 1]),
      leaseUntil = 0, lapseMs = 0, token = token,
    }
    write(key, mark, ARGV[4 * i])
    answers[i] = 1
  end
end
return answers
`);

/** Arguments per key: token, attempts, retentionMs. Answers 1 per key that was ours. */
export const RELEASE = script(`
local answers = {}
for i, key in ipairs(KEYS) do
  local token, retentionMs = ARGV[3 * i - 2], tonumber(ARGV[3 * i])
  local entry = read(key)
  if heldBy(entry, token) then
    entry.state, entry.attempts, entry.lapseMs = 'free', tonumber(ARGV[3 * i - 1]), retentionMs
    write(key, entry, retentionMs)
    answers[i] = 1
  else
    answers[i] = 0
  end
end
return answers
`);

/** Arguments per key: token, leaseMs. Answers 1 per claim that is still ours. */
export const RENEW = script(`
local answers = {}
for i, key in ipairs(KEYS) do
  local entry = read(key)
  if heldBy(entry, ARGV[2 * i - 1]) then
    lease(key, entry, tonumber(ARGV[2 * i]))
    answers[i] = 1
  else
    answers[i] = 0
  end
end
return answers
`);

function script(body: string): RedisScript {
  const lua = ENTRY + body;
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}
