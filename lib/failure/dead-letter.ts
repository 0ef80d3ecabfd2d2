import { DEAD_LETTER_HEADERS } from '../contracts/event-headers.js';
import type { InRecord, OutRecord, TopicPartition, WireHeaders } from '../kafka/records.js';
import type { DeadLetterReason } from './dead-letter-reason.js';

/** A record that nobody could handle, and why. */
export interface DeadLetter {
  readonly record: InRecord;
  /** Where the record came from. */
  readonly origin: TopicPartition;
  readonly groupId: string;
  /** Null where no handler was chosen yet. */
  readonly handlerId: string | null;
  readonly reason: DeadLetterReason;
  readonly error: Error;
  /** Failed attempts. */
  readonly attempts: number;
  readonly firstFailedAt: Date;
  readonly failedAt: Date;
}

/** How much of the error a dead letter tells; less is tried where more is too large. */
export type DeadLetterDetail = 'stack' | 'message' | 'class';

const MAX_CLASS_LENGTH = 256;
const MAX_MESSAGE_LENGTH = 4 * 1024;
const MAX_STACK_LENGTH = 16 * 1024;

/** The dead letter's record: the original byte for byte, key and headers included, then our headers. */
export function deadLetterRecord(
  letter: DeadLetter,
  detail: DeadLetterDetail,
  redact: (text: string) => string,
): OutRecord {
  const { key, value, headers } = letter.record;
  return {
    key,
    value,
    headers: [...headers, ...ownHeaders(letter, detail, redact)],
    timestamp: letter.failedAt.getTime(),
  };
}

/** What stands for a record too large for its dead-letter topic: our headers, and its position as JSON. */
export function deadLetterPointer(letter: DeadLetter, redact: (text: string) => string): OutRecord {
  const { origin, record } = letter;
  const pointer = {
    pointer: { ...origin, offset: record.offset.toString() },
  };
  return {
    key: null,
    value: Buffer.from(JSON.stringify(pointer)),
    headers: ownHeaders(letter, 'class', redact),
    timestamp: letter.failedAt.getTime(),
  };
}

function ownHeaders(
  letter: DeadLetter,
  detail: DeadLetterDetail,
  redact: (text: string) => string,
): WireHeaders {
  const { origin, record, error } = letter;
  const names = DEAD_LETTER_HEADERS;
  const headers: [string, string][] = [
    [names.originalTopic, origin.topic],
    [names.originalPartition, String(origin.partition)],
    [names.originalOffset, record.offset.toString()],
    [names.originalTimestamp, String(record.timestamp)],
    [names.group, letter.groupId],
    [names.reason, letter.reason],
    [names.attempts, String(letter.attempts)],
    [names.firstFailedAt, letter.firstFailedAt.toISOString()],
    [names.failedAt, letter.failedAt.toISOString()],
    [names.replayCount, '0'],
  ];
  if (letter.handlerId !== null) headers.push([names.handler, letter.handlerId]);
  headers.push([names.errorClass, error.name.slice(0, MAX_CLASS_LENGTH)]);
  if (detail !== 'class') {
    headers.push([names.errorMessage, redact(error.message).slice(0, MAX_MESSAGE_LENGTH)]);
  }
  if (detail === 'stack' && error.stack !== undefined) {
    headers.push([names.errorStack, redact(error.stack).slice(0, MAX_STACK_LENGTH)]);
  }
  return headers.map(([name, text]) => [name, Buffer.from(text)] as const);
}
