import { RETRY_HEADERS } from '../contracts/event-headers.js';
import { UndecodableRecordError } from '../kafka-events.errors.js';
import {
  sizeOfRecord,
  type InRecord,
  type OutRecord,
  type TopicPartition,
  type WireHeaders,
} from '../kafka/records.js';

/** A record that waits in a retry topic, as it was in its own, and what is known of its attempts. */
export interface ParkedRecord {
  readonly origin: TopicPartition;
  /** Byte for byte, with the offset and the timestamp it had there. */
  readonly record: InRecord;
  readonly groupId: string;
  /** The handler that is to try again, by the id it had when it failed. */
  readonly handlerId: string;
  /** How often it has been parked, this time included. */
  readonly level: number;
  /** When it is to be tried, in milliseconds since the Unix epoch. */
  readonly dueAt: number;
  /** Failed attempts of all levels. */
  readonly attempts: number;
  readonly firstFailedAt: Date;
}

const MAX_CLASS_LENGTH = 256;
const MAX_MESSAGE_LENGTH = 512;

/**
 * What is written to the retry topic: the original, then our headers, which replace those of the level
 * before.
 *
 * @param now its timestamp there, in milliseconds since the Unix epoch: retention goes by it.
 */
export function toRetryTopic(
  parked: ParkedRecord,
  error: Error,
  now: number,
  redact: (text: string) => string,
): OutRecord {
  const { origin, record } = parked;
  const names = RETRY_HEADERS;
  const block: [string, string][] = [
    [names.originalTopic, origin.topic],
    [names.originalPartition, String(origin.partition)],
    [names.originalOffset, record.offset.toString()],
    [names.originalTimestamp, String(record.timestamp)],
    [names.group, parked.groupId],
    [names.handler, parked.handlerId],
    [names.level, String(parked.level)],
    [names.dueAt, String(parked.dueAt)],
    [names.attempts, String(parked.attempts)],
    [names.firstFailedAt, parked.firstFailedAt.toISOString()],
    [names.errorClass, error.name.slice(0, MAX_CLASS_LENGTH)],
    [names.errorMessage, redact(error.message).slice(0, MAX_MESSAGE_LENGTH)],
  ];
  const headers = block.map(([name, text]) => [name, Buffer.from(text)] as const);
  const { key, value } = record;
  return { key, value, headers: [...record.headers, ...headers], timestamp: now };
}

/** Reads a record of a retry topic. @throws UndecodableRecordError when we cannot have written it. */
export function fromRetryTopic(inRetryTopic: InRecord): ParkedRecord {
  const { ours, original } = splitHeaders(inRetryTopic.headers);
  const record = new OriginalRecord({
    key: inRetryTopic.key,
    value: inRetryTopic.value,
    headers: original,
    offset: BigInt(digits(ours.originalOffset)),
    timestamp: number(ours.originalTimestamp),
  });
  return {
    origin: { topic: ours.originalTopic, partition: number(ours.originalPartition) },
    record,
    groupId: ours.group,
    handlerId: ours.handler,
    level: number(ours.level),
    dueAt: number(ours.dueAt),
    attempts: number(ours.attempts),
    firstFailedAt: date(ours.firstFailedAt),
  };
}

type OurHeader = keyof typeof RETRY_HEADERS;

/** By name and not by place: clients may gather the values of a name where the first of them stands. */
function splitHeaders(headers: WireHeaders): {
  readonly ours: Readonly<Record<OurHeader, string>>;
  readonly original: WireHeaders;
} {
  const places = new Set<number>();
  const read = Object.entries(RETRY_HEADERS).map(([what, name]) => {
    const place = headers.findLastIndex(([each]) => each === name);
    const value = headers[place]?.[1] ?? null;
    if (value === null) throw new UndecodableRecordError(`its header ${name} is missing`);
    places.add(place);
    return [what, value.toString()];
  });
  return {
    ours: Object.fromEntries(read) as Record<OurHeader, string>,
    original: headers.filter((_, place) => !places.has(place)),
  };
}

function digits(text: string): string {
  if (/^-?\d{1,19}$/.test(text)) return text;
  throw new UndecodableRecordError('one of its retry-* headers should be a whole number');
}

function number(text: string): number {
  return Number(digits(text));
}

function date(text: string): Date {
  const parsed = new Date(text);
  if (!Number.isNaN(parsed.getTime())) return parsed;
  throw new UndecodableRecordError('one of its retry-* headers should be a time');
}

class OriginalRecord implements InRecord {
  readonly offset: bigint;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: WireHeaders;
  readonly bytes: number;

  constructor(original: Pick<InRecord, 'offset' | 'timestamp' | 'key' | 'value' | 'headers'>) {
    this.offset = original.offset;
    this.timestamp = original.timestamp;
    this.key = original.key;
    this.value = original.value;
    this.headers = original.headers;
    this.bytes = sizeOfRecord(original);
  }

  lastHeader(name: string): Buffer | null | undefined {
    return this.headers.findLast(([each]) => each === name)?.[1];
  }
}
