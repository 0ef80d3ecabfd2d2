import { gunzipSync } from 'node:zlib';
import { RecordBatch } from '../../../lib/testing/embedded-kafka/wire/record-batch.js';

/** The headers of every record in a gzipped batch, as a broker that looks inside would read them. */
export function headersIn(batch: Buffer): ReadonlyMap<string, string>[] {
  const { records, recordCount } = RecordBatch.parse(batch);
  const reader = new VarintReader(gunzipSync(records));
  return Array.from({ length: recordCount }, () => readHeaders(reader));
}

/** @see https://kafka.apache.org/documentation/#record */
function readHeaders(reader: VarintReader): ReadonlyMap<string, string> {
  const headers = new Map<string, string>();
  reader.varint(); // length
  reader.skip(1); // attributes
  reader.varint(); // timestamp delta
  reader.varint(); // offset delta
  reader.bytes(); // key
  reader.bytes(); // value
  for (let left = reader.varint(); left > 0; left--) {
    const name = reader.bytes().toString();
    headers.set(name, reader.bytes().toString());
  }
  return headers;
}

class VarintReader {
  #at = 0;

  constructor(private readonly data: Buffer) {}

  skip(bytes: number): void {
    this.#at += bytes;
  }

  /** Zigzag, as all numbers in a record. */
  varint(): number {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = this.data.readUInt8(this.#at++);
      value += (byte & 127) * scale;
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    }
  }

  /** Empty where there is none. */
  bytes(): Buffer {
    const length = Math.max(0, this.varint());
    const found = this.data.subarray(this.#at, this.#at + length);
    this.#at += length;
    return found;
  }
}
