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
 * A suspect's state is followed by `:<crashes>/<crashesAlone>/<run>`, where `run` is 0 until its handler
 * is about to run, then 1, or 2 where that has its process for itself.
 *
 * `level` is that of the latest claim or mark. `leaseUntil` is in milliseconds since the Unix epoch by the
 * clock of Redis, the only one that counts; `lapseMs` is how long a claim outlives its lease, so that its
 * attempts do. What is due goes by the key's own expiry.
 */
const ENTRY = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local CLOSED = { done = 2, parked = 3, dead = 4 }

local function read(key)
  local text = redis.call('GET', key)
  if not text then return nil end
  local state, suspicion, attempts, level, leaseUntil, lapseMs, token =
    string.match(text, '^(%a+)(%S*) (%d+) (%d+) (%d+) (%d+) (.*)$')
  if not state then error('this key holds something that is no claim: ' .. key) end
  local crashes, alone, run = string.match(suspicion, '^:(%d+)/(%d+)/(%d)$')
  return {
    suspect = crashes and {
      crashes = tonumber(crashes), alone = tonumber(alone), run = tonumber(run),
    },
    state = state, attempts = tonumber(attempts), level = tonumber(level),
    leaseUntil = tonumber(leaseUntil), lapseMs = tonumber(lapseMs), token = token,
  }
end

local function write(key, entry, ...)
  local state, suspect = entry.state, entry.suspect
  if suspect then
    state = string.format('%s:%d/%d/%d', state, suspect.crashes, suspect.alone, suspect.run)
  end
  local text = string.format('%s %d %d %d %d %s',
    state, entry.attempts, entry.level, entry.leaseUntil, entry.lapseMs, entry.token)
  redis.call('SET', key, text, ...)
end

local function lease(key, entry, leaseMs)
  entry.leaseUntil = now + leaseMs
  write(key, entry, 'PX', leaseMs + math.max(leaseMs, entry.lapseMs))
end

local function suspected(before)
  local suspect = before or { crashes = 0, alone = 0, run = 0 }
  if suspect.run > 0 then suspect.crashes = suspect.crashes + 1 end
  if suspect.run > 1 then suspect.alone = suspect.alone + 1 end
  suspect.run = 0
  return suspect
end

local function heldBy(entry, token)
  return entry and entry.state == 'claimed' and entry.token == token
end
`;

/**
 * Arguments per key: token, leaseMs, level, retentionMs. Answers per key four numbers: 0, the failed
 * attempts, and of a suspect its crashes and those alone, else -1 twice; 1 and the rest of another's
 * lease; 2, 3 or 4 (done, parked, dead) and 0.
 */
export const CLAIM = script(`
local answers = {}
local function answer(code, figure, crashes, alone)
  local n = #answers
  answers[n + 1], answers[n + 2], answers[n + 3], answers[n + 4] = code, figure, crashes, alone
end
for i, key in ipairs(KEYS) do
  local token, leaseMs = ARGV[4 * i - 3], tonumber(ARGV[4 * i - 2])
  local level, retentionMs = tonumber(ARGV[4 * i - 1]), tonumber(ARGV[4 * i])
  local entry = read(key) or { attempts = 0, level = 0 }
  local closed, taken = CLOSED[entry.state], entry.state == 'claimed' and entry.token ~= token
  if closed and (entry.state == 'done' or level <= entry.level) then
    answer(closed, 0, -1, -1)
  elseif taken and entry.leaseUntil > now then
    answer(1, entry.leaseUntil - now, -1, -1)
  elseif not closed and level < entry.level then
    answer(CLOSED.parked, 0, -1, -1)
  else
    if closed then entry.attempts, entry.suspect = 0, nil end
    if taken then entry.suspect = suspected(entry.suspect) end
    entry.state, entry.token, entry.level, entry.lapseMs = 'claimed', token, level, retentionMs
    lease(key, entry, leaseMs)
    local suspect = entry.suspect or { crashes = -1, alone = -1 }
    answer(0, entry.attempts, suspect.crashes, suspect.alone)
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
    write(key, mark, 'PX', ARGV[4 * i])
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
    if entry.suspect and entry.suspect.run > 0 then entry.suspect = nil end
    entry.state, entry.attempts, entry.lapseMs = 'free', tonumber(ARGV[3 * i - 1]), retentionMs
    write(key, entry, 'PX', retentionMs)
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

/** Arguments per key: token, 1 for a handler that runs together with others or 2. Answers 1 per claim that is ours. */
export const START = script(`
local answers = {}
for i, key in ipairs(KEYS) do
  local entry = read(key)
  if heldBy(entry, ARGV[2 * i - 1]) then
    entry.suspect = entry.suspect or { crashes = 0, alone = 0 }
    entry.suspect.run = tonumber(ARGV[2 * i])
    write(key, entry, 'KEEPTTL')
    answers[i] = 1
  else
    answers[i] = 0
  end
end
return answers
`);

/** Arguments per key: retentionMs. Answers 1 per key that holds a mark. */
export const REFRESH = script(`
local answers = {}
for i, key in ipairs(KEYS) do
  local entry, retentionMs = read(key), tonumber(ARGV[i])
  local closed = entry and CLOSED[entry.state]
  if closed and redis.call('PTTL', key) < retentionMs then
    redis.call('PEXPIRE', key, retentionMs)
  end
  answers[i] = closed and 1 or 0
end
return answers
`);

function script(body: string): RedisScript {
  const lua = ENTRY + body;
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}
