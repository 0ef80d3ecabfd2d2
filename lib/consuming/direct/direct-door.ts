import type { Clock } from '../../contracts/clock.js';
import { EventEnvelope } from '../../contracts/event-envelope.js';
import { NO_PARTITION } from '../../kafka/records.js';
import { DirectDeliveryError, type DirectDeliveryReason } from '../../kafka-events.errors.js';
import type { SignalSink } from '../../observability/observer.js';
import { atLast } from './at-last.js';
import type { DirectGroup } from './direct-group.js';
import { toInRecord, type DirectRecord } from './direct-record.js';
import type { DirectHandlerReply, DirectOutcome, DirectReceipt } from './direct-reply.js';
import type { DirectLimits, DirectReceiver } from './direct-transport.js';

export interface DirectDoorOptions {
  /** Of the process; none while the consumers have not started. */
  readonly groups: () => readonly DirectGroup[];
  /** Of a physical topic. */
  readonly deadLetterTopic: (topic: string) => string;
  readonly maxInFlight: number;
  readonly deadlineMs: number;
  readonly signals: SignalSink;
  readonly clock: Clock;
}

/** From what a retry may mend, which is what the caller is told first. */
const BY_HOPE: readonly Exclude<DirectOutcome, 'handled' | 'duplicate' | 'left-to-kafka'>[] = [
  'not-ready',
  'store-away',
  'held',
  'in-progress',
  'late',
  'failed',
  'rejected',
];

/**
 * The engine's door for events that do not come from Kafka.
 *
 * So many at once and no more: each waits with nothing but its claim, and a caller who is turned away
 * knows at once. One counts until its handlers have come back, also those for which nobody waits any more.
 */
export class DirectDoor implements DirectReceiver {
  #inFlight = 0;

  constructor(private readonly options: DirectDoorOptions) {}

  async deliver(record: DirectRecord, limits: DirectLimits = {}): Promise<DirectReceipt> {
    try {
      return await this.#deliver(record, limits);
    } catch (error) {
      if (error instanceof DirectDeliveryError) this.refused(record.topic, error);
      throw error;
    }
  }

  refused(topic: string, error: DirectDeliveryError): void {
    const { reason } = error;
    this.options.signals.emit('directRefused', { topic, reason, error });
  }

  async #deliver(record: DirectRecord, limits: DirectLimits): Promise<DirectReceipt> {
    const groups = this.#groupsFor(record);
    const { clock, deadlineMs, maxInFlight } = this.options;
    const givenMs =
      limits.deadlineAt === undefined ? deadlineMs : limits.deadlineAt - clock.wallTime().getTime();
    const remainingMs = Math.min(givenMs, deadlineMs);
    if (!(remainingMs > 0) || limits.signal?.aborted === true) {
      throw refusal('late', 'its deadline is in the past');
    }
    if (this.#inFlight >= maxInFlight) {
      throw refusal('busy', `${String(maxInFlight)} direct deliveries are under way`);
    }
    const cutoff = new AbortController();
    const cut = (): void => {
      cutoff.abort();
    };
    const timer = clock.setTimeout(cut, remainingMs);
    limits.signal?.addEventListener('abort', cut, { once: true });
    try {
      const replies = this.#handTo(groups, record, cutoff.signal);
      return receiptOf((await replies).flatMap((reply) => reply ?? []));
    } finally {
      clock.clearTimeout(timer);
      limits.signal?.removeEventListener('abort', cut);
    }
  }

  #handTo(groups: readonly DirectGroup[], record: DirectRecord, cutoff: AbortSignal) {
    this.#inFlight++;
    const over = atLast(groups.length, () => {
      this.#inFlight--;
    });
    return Promise.all(groups.map((group) => group.deliver(record, cutoff, over)));
  }

  /** The groups that consume the record's topic. */
  #groupsFor(record: DirectRecord): readonly DirectGroup[] {
    const { topic } = record;
    const groups = this.options.groups();
    if (groups.length === 0 || groups.some(({ closed }) => closed)) {
      throw refusal('not-ready', 'its consumers have not started, or are about to stop');
    }
    const ours = groups.filter(({ topics }) => topics.consumed.includes(topic));
    if (this.#isPrivate(topic, groups)) {
      throw refusal('topic-private', `"${topic}" is for records that its group sets aside`);
    }
    if (ours.length === 0) throw refusal('topic-not-consumed', `"${topic}" is not consumed here`);
    const partition = { topic, partition: NO_PARTITION };
    if (new EventEnvelope(partition, toInRecord(record)).idDerived) {
      throw refusal('event-id-missing', 'without an event id its copy could not be told from it');
    }
    return ours;
  }

  #isPrivate(topic: string, groups: readonly DirectGroup[]): boolean {
    const { deadLetterTopic } = this.options;
    return groups.some(
      ({ topics: { own, consumed } }) =>
        own.includes(topic) || consumed.some((each) => deadLetterTopic(each) === topic),
    );
  }
}

/** @throws DirectDeliveryError unless every handler that opted in is done, and there is one. */
function receiptOf(handlers: readonly DirectHandlerReply[]): DirectReceipt {
  if (handlers.length === 0) throw refusal('event-unknown', 'no handler here takes this event');
  if (handlers.every(({ outcome }) => outcome === 'left-to-kafka')) {
    throw refusal('event-not-accepted', 'no handler of it has opted in (acceptsDirect)');
  }
  const reason = BY_HOPE.find((each) => handlers.some(({ outcome }) => outcome === each));
  if (reason === undefined) return { handlers };
  throw refusal(reason, handlers.map(describe).join('; '));
}

function describe({ handlerId, outcome, error }: DirectHandlerReply): string {
  return `${handlerId} ${outcome}${error === null ? '' : ` (${error})`}`;
}

function refusal(reason: DirectDeliveryReason, why: string): DirectDeliveryError {
  return new DirectDeliveryError(reason, `not delivered directly, ${reason}: ${why}`);
}
