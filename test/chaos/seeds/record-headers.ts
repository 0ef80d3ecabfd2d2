import { gunzipSync } from 'node:zlib';
import {
  DEAD_LETTER_HEADERS,
  HEADERS,
  RETRY_HEADERS,
} from '../../../lib/contracts/event-headers.js';
import { RecordBatch } from '../../../lib/testing/embedded-kafka/wire/record-batch.js';
import type { ParkedCopy } from './known-facts.js';
import type { Place } from './topics.js';

export type Headers = ReadonlyMap<string, string>;

/** The headers of every record in a gzipped batch, as a broker that looks inside would read them. */
export function headersIn(batch: Buffer): Headers[] {
  const { records, recordCount } = RecordBatch.parse(batch);
  const reader = new VarintReader(gunzipSync(records));
  return Array.from({ length: recordCount }, () => readHeaders(reader));
}

export function eventIdOf(headers: Headers): string {
  return headers.get(HEADERS.eventId) ?? '';
}

/** What a record of the retry topic is. */
export function parkedCopyOf(headers: Headers): ParkedCopy {
  return {
    eventId: eventIdOf(headers),
    handler: headers.get(RETRY_HEADERS.handler) ?? '',
    level: Number(headers.get(RETRY_HEADERS.level)),
    origin: originOf(headers, RETRY_HEADERS),
  };
}

/** Where a dead letter was, and which handler gave it up; null for none. */
export function deadLetterOf(headers: Headers): { origin: Place; handler: string | null } {
  return {
    origin: originOf(headers, DEAD_LETTER_HEADERS),
    handler: headers.get(DEAD_LETTER_HEADERS.handler) ?? null,
  };
}

function originOf(
  headers: Headers,
  names: { readonly originalPartition: string; readonly originalOffset: string },
): Place {
  return {
    partition: Number(headers.get(names.originalPartition)),
    offset: Number(headers.get(names.originalOffset)),
  };
}

/** @see https://kafka.apache.org/documentation/#record */
function readHeaders(reader: VarintReader): Headers {
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
