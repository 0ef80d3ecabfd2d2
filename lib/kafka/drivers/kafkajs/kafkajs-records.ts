import type { Batch, KafkaMessage } from 'kafkajs';
import type { InRecord, RecordBatch, WireHeaders } from '../../records.js';
import { lastHeader, sizeOfHeaders, toWireHeaders } from './kafkajs-headers.js';

/** A batch that kafkajs fetched, in the engine's terms. */
export function toRecordBatch(batch: Batch, epoch: number): RecordBatch {
  return {
    topic: batch.topic,
    partition: batch.partition,
    epoch,
    records: batch.messages.map((message) => new FetchedRecord(message)),
    // Of the unfiltered batch: past control records and aborted transactions at its end.
    nextOffset: BigInt(batch.lastOffset()) + 1n,
    highWatermark: BigInt(batch.highWatermark),
  };
}

/**
 * A fetched message as it is: what waits in a lane costs no more than kafkajs's own object, and its
 * headers are put in our form only for those that are looked at.
 */
class FetchedRecord implements InRecord {
  readonly offset: bigint;
  readonly bytes: number;

  constructor(private readonly message: KafkaMessage) {
    const { key, value, headers } = message;
    this.offset = BigInt(message.offset);
    this.bytes = (key?.length ?? 0) + (value?.length ?? 0) + sizeOfHeaders(headers);
  }

  get timestamp(): number {
    return Number(this.message.timestamp);
  }
  get key(): Buffer | null {
    return this.message.key;
  }
  get value(): Buffer | null {
    return this.message.value;
  }
  get headers(): WireHeaders {
    return toWireHeaders(this.message.headers);
  }

  lastHeader(name: string): Buffer | null | undefined {
    return lastHeader(this.message.headers, name);
  }
}

/**
 * The messages of the fetch answer that a batch was made from, filtered ones included. kafkajs's
 * types leave them out.
 */
export function rawMessagesOf(batch: Batch): readonly unknown[] {
  return 'rawMessages' in batch && Array.isArray(batch.rawMessages) ? batch.rawMessages : [];
}

/** Stands for records that are nobody's to see: it only moves the position past them. */
export function emptyBatch(
  batch: Pick<Batch, 'topic' | 'partition' | 'highWatermark'> & { readonly lastOffset: string },
  epoch: number,
): RecordBatch {
  return {
    topic: batch.topic,
    partition: batch.partition,
    epoch,
    records: [],
    nextOffset: BigInt(batch.lastOffset) + 1n,
    highWatermark: BigInt(batch.highWatermark),
  };
}
