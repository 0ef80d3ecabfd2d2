import type { Clock } from '../contracts/clock.js';
import type { EventContract } from '../contracts/event-contract.js';
import { HEADERS, isReservedHeader } from '../contracts/event-headers.js';
import { decodeJson, encodeJson } from '../contracts/json-codec.js';
import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import {
  EventTooLargeError,
  InvalidEventError,
  InvalidPayloadError,
  MissingPeerError,
  PublishError,
  PublishRejectedError,
  toError,
  type PayloadIssue,
  type PublishFailure,
} from '../kafka-events.errors.js';
import { sizeOfRecord, type OutRecord, type WireHeaders } from '../kafka/records.js';
import type { KafkaEventsSettings } from '../kafka-events.options.js';
import type { PublishOptions } from './publish-options.js';

/** An event that is valid, complete and small enough: ready to be sent. */
export interface EncodedEvent {
  readonly identity: PublishFailure;
  readonly record: OutRecord;
  readonly bytes: number;
  readonly deadlineMs: number;
  /** By `Clock.now`. */
  readonly deadlineAt: number;
}

export interface EventEncoderOptions {
  readonly topicName: (topic: string) => string;
  readonly maxRecordBytes: number;
  readonly defaultDeadlineMs: number;
  readonly clock: Clock;
  readonly newEventId: () => string;
}

/** When an event was published: what time it was, and the same by `Clock.now`. */
interface Moment {
  readonly at: Date;
  readonly now: number;
}

const CONTENT_TYPE = Buffer.from('application/json');
const TRACE_HEADERS: readonly string[] = [HEADERS.traceparent, HEADERS.tracestate];

/**
 * Makes an event's record: the payload's JSON as value, the aggregate id as key, the envelope as
 * headers.
 *
 * What is validated is what consumers will read: the JSON, read back. So the caller's object is
 * looked at once and never handed out, and a value that JSON alters fails here, not there.
 */
export class EventEncoder {
  readonly #eventTypes = new Map<string, Buffer>();

  constructor(private readonly options: EventEncoderOptions) {}

  /** What the event is known by, whether or not it can be published. */
  identify({ eventType, topic }: EventContract, { eventId }: PublishOptions): PublishFailure {
    return {
      eventId: eventId ?? this.options.newEventId(),
      eventType,
      topic: this.options.topicName(topic),
    };
  }

  /**
   * @throws InvalidEventError for a payload or options that are not what they must be.
   * @throws EventTooLargeError when key, value and headers exceed the limit.
   * @throws PublishRejectedError when the contract itself fails.
   */
  encode(
    identity: PublishFailure,
    contract: EventContract,
    payload: unknown,
    options: PublishOptions,
  ): MaybePromise<EncodedEvent> {
    const { clock } = this.options;
    // Its time runs from here on, while its contract is asked, too.
    const moment = { at: clock.wallTime(), now: clock.now() };
    const issues = optionIssues(identity, options);
    if (issues.length > 0) throw new InvalidEventError(identity, issues);
    try {
      const value = encodeJson(payload);
      const finish = (key: string) => this.#complete(identity, key, value, options, moment);
      const key = validKey(identity, contract, decodeJson(value));
      return isPromise(key) ? key.then(finish).catch(refusal(identity)) : finish(key);
    } catch (thrown) {
      return refusal(identity)(thrown);
    }
  }

  #complete(
    identity: PublishFailure,
    aggregateId: string,
    value: Buffer,
    options: PublishOptions,
    { at, now }: Moment,
  ): EncodedEvent {
    if (aggregateId === '')
      throw new InvalidPayloadError([{ path: '', message: 'its key is empty' }]);
    const key = Buffer.from(aggregateId);
    const headers = this.#headers(identity, key, options, at);
    // Not `options.timestamp`: retention goes by it and would remove what happened long ago at once.
    const record: OutRecord = { key, value, headers, timestamp: at.getTime() };
    const bytes = sizeOfRecord(record);
    if (bytes > this.options.maxRecordBytes) {
      const limit = `${bytes} bytes exceed producer.maxRecordBytes (${this.options.maxRecordBytes})`;
      throw new EventTooLargeError(identity, limit);
    }
    const deadlineMs = options.deadlineMs ?? this.options.defaultDeadlineMs;
    return { identity, record, bytes, deadlineMs, deadlineAt: now + deadlineMs };
  }

  #headers(
    { eventId, eventType }: PublishFailure,
    key: Buffer,
    { correlationId, causationId, timestamp, headers = {} }: PublishOptions,
    at: Date,
  ): WireHeaders {
    const id = Buffer.from(eventId);
    const wire: [string, Buffer][] = [
      [HEADERS.eventId, id],
      [HEADERS.eventType, this.#eventTypeBytes(eventType)],
      [HEADERS.correlationId, correlationId === undefined ? id : Buffer.from(correlationId)],
    ];
    if (causationId !== undefined) wire.push([HEADERS.causationId, Buffer.from(causationId)]);
    wire.push(
      [HEADERS.eventTime, Buffer.from((timestamp ?? at).toISOString())],
      [HEADERS.aggregateId, key],
      [HEADERS.contentType, CONTENT_TYPE],
    );
    for (const [name, text] of Object.entries(headers)) wire.push([name, Buffer.from(text)]);
    return wire;
  }

  #eventTypeBytes(eventType: string): Buffer {
    const known = this.#eventTypes.get(eventType);
    if (known !== undefined) return known;
    const bytes = Buffer.from(eventType);
    this.#eventTypes.set(eventType, bytes);
    return bytes;
  }
}

/** The encoder of a module's events. */
export function encoderFor(
  settings: Pick<KafkaEventsSettings, 'topicName' | 'producer' | 'clock'>,
  newEventId: () => string,
): EventEncoder {
  const { topicName, producer, clock } = settings;
  const { maxRecordBytes, deadlineMs: defaultDeadlineMs } = producer;
  return new EventEncoder({ topicName, maxRecordBytes, defaultDeadlineMs, clock, newEventId });
}

function validKey(
  identity: PublishFailure,
  contract: EventContract,
  payload: unknown,
): MaybePromise<string> {
  const keyOf = (validated: Awaited<ReturnType<EventContract['validate']>>) => {
    if (!validated.valid) throw new InvalidEventError(identity, validated.issues);
    return contract.keyOf(validated.payload);
  };
  const validated = contract.validate(payload);
  return isPromise(validated) ? validated.then(keyOf) : keyOf(validated);
}

/** Rethrows whatever kept an event from being encoded as an error that knows the event. */
function refusal(identity: PublishFailure): (thrown: unknown) => never {
  return (thrown) => {
    if (thrown instanceof PublishError) throw thrown;
    if (thrown instanceof InvalidPayloadError) {
      throw new InvalidEventError(identity, thrown.issues, thrown.cause);
    }
    // Ours says what to do; another's message may quote the payload.
    const { name, message } = toError(thrown);
    const why = thrown instanceof MissingPeerError ? message : `its contract threw ${name}`;
    throw new PublishRejectedError(identity, why, thrown);
  };
}

/** JavaScript callers pass what types forbid, so all of it is checked. */
function optionIssues({ eventId }: PublishFailure, options: PublishOptions): PayloadIssue[] {
  const { correlationId, causationId, timestamp, deadlineMs, headers = {} } = options;
  const issues: PayloadIssue[] = [];
  const check = (holds: boolean, option: string, message: string) => {
    if (!holds) issues.push({ path: `options.${option}`, message });
  };
  check(isText(eventId) && eventId !== '', 'eventId', 'must be a non-empty string');
  check(isText(correlationId ?? ''), 'correlationId', 'must be a string');
  check(isText(causationId ?? ''), 'causationId', 'must be a string');
  check(timestamp === undefined || isValidDate(timestamp), 'timestamp', 'must be a valid Date');
  check(
    deadlineMs === undefined || (Number.isFinite(deadlineMs) && deadlineMs > 0),
    'deadlineMs',
    'must be a number of milliseconds above 0',
  );
  for (const [name, value] of Object.entries(headers)) {
    check(name !== '', 'headers', 'a header needs a name');
    check(
      !isReservedHeader(name) || TRACE_HEADERS.includes(name),
      `headers.${name}`,
      'is a name of the wire format',
    );
    check(isText(value), `headers.${name}`, 'must be a string');
  }
  return issues;
}

function isText(value: unknown): boolean {
  return typeof value === 'string';
}

function isValidDate(value: unknown): boolean {
  // Not `instanceof`: a date may come from another realm (jest runs tests in one).
  return Object.prototype.toString.call(value) === '[object Date]' && !Number.isNaN(Number(value));
}
