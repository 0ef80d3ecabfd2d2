import { InvalidPayloadError } from '../kafka-events.errors.js';

/** What can be a record's key; all are written as text. */
export type KeyValue = string | number | bigint;

/** The properties of a payload that can be its key: always there, and of a type that can be one. */
export type KeyProperty<T> = {
  [K in keyof T]-?: T[K] extends KeyValue ? K : never;
}[keyof T] &
  string;

/** How a key is declared: the name of a property, or a function of the payload. */
export type KeySource<T> = string | ((payload: T) => KeyValue);

/** What is wrong with a declared key. */
export function keyProblems(key: unknown): string[] {
  const usable = typeof key === 'function' || (typeof key === 'string' && key !== '');
  return usable ? [] : ['key: must name a property of the payload, or be a function of it'];
}

/**
 * Reads the key of a payload as text.
 *
 * An empty or missing key is refused rather than written: it would send unrelated aggregates down
 * one lane.
 *
 * @throws InvalidPayloadError when a payload gives no usable key.
 */
export function keyReader<T>(key: KeySource<T>): (payload: T) => string {
  if (typeof key === 'function') return (payload) => keyText(key(payload), 'the key function');
  return (payload) => keyText((payload as Readonly<Record<string, unknown>>)[key], `"${key}"`);
}

function keyText(value: unknown, origin: string): string {
  if (typeof value === 'string' && value !== '') return value;
  if (typeof value === 'bigint' || Number.isFinite(value)) return String(value);
  const found = value === null || value === '' ? 'nothing' : `a value of type ${typeof value}`;
  throw new InvalidPayloadError([
    {
      path: '',
      message: `${origin} must give the record's key, a non-empty string or a number, but gives ${found}`,
    },
  ]);
}
