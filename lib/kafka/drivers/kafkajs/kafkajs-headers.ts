import type { IHeaders } from 'kafkajs';
import type { WireHeaders } from '../../records.js';

type WireHeader = WireHeaders[number];

/**
 * The headers of a record that kafkajs fetched, as pairs. kafkajs gathers repeated names in an
 * array, at the place of their first, and moves names that are whole numbers to the front: how
 * different names were interleaved is already lost here.
 */
export function toWireHeaders(headers: IHeaders | undefined): WireHeaders {
  const pairs: WireHeader[] = [];
  for (const name in headers) {
    const value = headers[name];
    if (Array.isArray(value)) {
      for (const one of valuesOf(value)) pairs.push([name, toBytes(one)]);
    } else {
      pairs.push([name, toBytes(value)]);
    }
  }
  return pairs;
}

/** The last value of a header by that name; undefined where there is none. */
export function lastHeader(headers: IHeaders | undefined, name: string): Buffer | null | undefined {
  const value = headers?.[name];
  if (headers === undefined || value === undefined || !Object.hasOwn(headers, name)) {
    return undefined;
  }
  return toBytes(Array.isArray(value) ? valuesOf(value).at(-1) : value);
}

/** kafkajs takes what every object inherits under a name like `constructor` for its first value. */
function valuesOf(values: readonly (Buffer | string)[]): readonly (Buffer | string)[] {
  return values.filter(
    (value: unknown) => value === null || typeof value === 'string' || Buffer.isBuffer(value),
  );
}

/** Bytes of names and values together. */
export function sizeOfHeaders(headers: IHeaders | undefined): number {
  let bytes = 0;
  for (const name in headers) {
    const value = headers[name];
    const values = Array.isArray(value) ? valuesOf(value) : [value];
    for (const one of values) bytes += name.length + (one?.length ?? 0);
  }
  return bytes;
}

// kafkajs declares no null, but hands one out for a header without a value.
function toBytes(value: Buffer | string | null | undefined): Buffer | null {
  return typeof value === 'string' ? Buffer.from(value) : (value ?? null);
}

interface EncodableHeader {
  readonly key: string;
  readonly value: Buffer | null;
}

/**
 * Headers for kafkajs to encode exactly as given: in order, repeated names where they stand, null
 * values as null.
 *
 * Of an object it would write one name after the other, and a null makes it throw. But it turns the
 * array of a repeated name into encodable `{ key, value }` entries by calling the array's own `map`:
 * so all headers travel as the array of one name, whose `map` answers the entries we want.
 */
export function toKafkaJsHeaders(headers: WireHeaders): IHeaders {
  if (headers.length === 0) return {};
  const all: Buffer[] = [];
  // Called once per encoding, and a retry encodes again: entries are made anew each time.
  Object.defineProperty(all, 'map', { value: () => headers.map(toEncodable) });
  return { all };
}

function toEncodable([key, value]: WireHeader): EncodableHeader {
  return value === null ? new NullHeader(key) : { key, value };
}

/**
 * To sum sizes, kafkajs takes the byte length of a value before it asks whether it is null, and
 * that throws. The first read therefore answers an empty value, all later ones null: the size comes
 * out right, because kafkajs adds one byte for null on its own.
 */
class NullHeader implements EncodableHeader {
  private sized = false;

  constructor(readonly key: string) {}

  get value(): Buffer | null {
    if (this.sized) return null;
    this.sized = true;
    return Buffer.alloc(0);
  }
}
