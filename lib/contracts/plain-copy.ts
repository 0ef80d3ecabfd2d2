import { InvalidPayloadError } from '../kafka-events.errors.js';

/** Far above any honest payload, far below what recursion over it can bear. */
const MAX_DEPTH = 200;

/**
 * A copy of a payload that class-transformer may do with as it likes: it deletes discriminators
 * from its input, takes an own `constructor` for a class, and recurses without a bound.
 *
 * Dates, buffers, maps and other built-ins are shared, not copied.
 *
 * @throws InvalidPayloadError for a payload nested too deeply or containing itself.
 */
export function plainCopy(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) {
    throw new InvalidPayloadError([
      {
        path: '',
        message: `is nested more than ${String(MAX_DEPTH)} levels deep, or contains itself`,
      },
    ]);
  }
  if (Array.isArray(value)) return value.map((item) => plainCopy(item, depth + 1));
  return Object.prototype.toString.call(value) === '[object Object]'
    ? copyObject(value, depth)
    : value;
}

function copyObject(value: object, depth: number): object {
  const copy = Object.create(Object.getPrototypeOf(value) as object | null) as Record<
    string,
    unknown
  >;
  for (const [key, item] of Object.entries(value)) {
    if (key !== '__proto__' && key !== 'constructor') copy[key] = plainCopy(item, depth + 1);
  }
  return copy;
}
