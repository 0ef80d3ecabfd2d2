import type { Batch, KafkaMessage } from 'kafkajs';
import type { InRecord, RecordBatch } from '../../records.js';
import { toWireHeaders } from './kafkajs-headers.js';

/** A batch that kafkajs fetched, in the engine's terms. */
export function toRecordBatch(batch: Batch, epoch: number): RecordBatch {
  return {
    topic: batch.topic,
    partition: batch.partition,
    epoch,
    records: batch.messages.map(toInRecord),
    // Of the unfiltered batch: past control records and aborted transactions at its end.
    nextOffset: BigInt(batch.lastOffset()) + 1n,
    highWatermark: BigInt(batch.highWatermark),
  };
}

function toInRecord(message: KafkaMessage): InRecord {
  return {
    offset: BigInt(message.offset),
    timestamp: Number(message.timestamp),
    key: message.key,
    value: message.value,
    headers: toWireHeaders(message.headers),
  };
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
