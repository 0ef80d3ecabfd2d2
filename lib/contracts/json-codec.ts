import { InvalidPayloadError, UndecodableRecordError } from '../kafka-events.errors.js';
import { utf8Text } from './utf8-text.js';

/**
 * A value as JSON in UTF-8.
 *
 * @throws InvalidPayloadError for what JSON cannot carry: undefined, functions, BigInts, cycles.
 */
export function encodeJson(value: unknown): Buffer {
  const text = stringify(value);
  if (text === undefined) throw notJson('', `a value of type ${typeof value} has no JSON form`);
  return Buffer.from(text);
}

/**
 * The value behind JSON in UTF-8.
 *
 * @throws UndecodableRecordError for any other bytes. Neither its message nor a cause holds any of
 *   them: the engine's own SyntaxError quotes its input.
 */
export function decodeJson(bytes: Buffer): unknown {
  const text = utf8Text(bytes);
  if (text === null) throw undecodable(bytes, 'is not UTF-8 text');
  try {
    return JSON.parse(text);
  } catch {
    throw undecodable(bytes, 'is not JSON');
  }
}

function undecodable(bytes: Buffer, why: string): UndecodableRecordError {
  return new UndecodableRecordError(`the value (${String(bytes.length)} bytes) ${why}`);
}

function stringify(value: unknown): string | undefined {
  try {
    // Typed as text, yet undefined for undefined, functions and symbols.
    return JSON.stringify(value);
  } catch (cause) {
    throw unwritable(value, [], []) ?? notJson('', 'it cannot be written as JSON', cause);
  }
}

/** Deeper than people nest; the stringifier's own limit is the stack. */
const SEARCH_DEPTH = 200;

/** Finds what made the stringifier give up; only called once it has. */
function unwritable(
  value: unknown,
  path: readonly string[],
  ancestors: readonly object[],
): InvalidPayloadError | undefined {
  if (typeof value === 'bigint') {
    return notJson(path.join('.'), 'JSON has no BigInt; declare it as text');
  }
  if (typeof value !== 'object' || value === null || path.length > SEARCH_DEPTH) return undefined;
  if (ancestors.includes(value)) return notJson(path.join('.'), 'it contains itself');
  for (const [key, child] of Object.entries(value)) {
    const found = unwritable(child, [...path, key], [...ancestors, value]);
    if (found !== undefined) return found;
  }
  return undefined;
}

function notJson(path: string, message: string, cause?: unknown): InvalidPayloadError {
  return new InvalidPayloadError([{ path, message }], cause === undefined ? {} : { cause });
}
