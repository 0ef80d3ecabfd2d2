import type { DirectReceipt } from '../consuming/direct/direct-reply.js';
import type { DirectTarget } from '../consuming/direct/direct-transport.js';
import { sleep, type Clock } from '../contracts/clock.js';
import type { EventSource, PublishPayload } from '../contracts/event-source.js';
import { InvalidTargetError, PublishError, toError } from '../kafka-events.errors.js';
import type { EventOutbox } from '../outbox/event-outbox.js';
import type { EncodedEvent } from '../publishing/event-encoder.js';
import type { EventPublisher } from '../publishing/event-publisher.js';
import type { PublishOptions } from '../publishing/publish-options.js';
import { BrokerWatch } from './broker-watch.js';
import type { AsyncFirst, DirectOptions, HybridOrder } from './hybrid-operation.js';
import type { AsyncFirstResult } from './hybrid-result.js';
import { KeyOrder } from './key-order.js';

export interface DurablePublisherOptions {
  readonly publisher: Pick<EventPublisher, 'prepare' | 'deliver'>;
  readonly outbox: Pick<EventOutbox, 'isConfigured' | 'storeEncoded' | 'holds' | 'isEmpty'>;
  /** By the names that operations know them by. */
  readonly targets: ReadonlyMap<string, DirectTarget>;
  readonly clock: Clock;
}

/** What the direct delivery of an event came to; both null where there was none. */
interface Delivered {
  readonly direct: DirectReceipt | null;
  readonly directCause: Error | null;
}

const NOT_DELIVERED: Delivered = { direct: null, directCause: null };
const NO_KEY = Buffer.alloc(0);

/** How often an event asks whether those before it are out of the outbox. */
const LOOK_MS = 20;

/**
 * Publishes events so that an outage of the broker does not lose them:
 *
 *     encode, once ─ in line with its key ─┬ its key is not behind the outbox ─ publish ─ published
 *                                          │                                      └ broker away
 *                                          └ it is ─────────────────────────────────┴▶ outbox ─▶ direct delivery, if
 *                                                                                                it has a target
 *
 * Wherever it goes, it is the same event: the same id, the same bytes. So what was published although the
 * broker did not say so in time, and is published by the outbox again, is a duplicate to its consumers.
 */
export class DurablePublisher {
  readonly #order: KeyOrder;
  readonly #broker: BrokerWatch;

  constructor(private readonly options: DurablePublisherOptions) {
    this.#order = new KeyOrder(options.outbox);
    this.#broker = new BrokerWatch(options.clock);
  }

  /**
   * @throws PublishError where the event itself is at fault, or nobody took it; a retry may reuse its id.
   * @throws whatever the outbox throws, where the event has to go behind others that are in there.
   */
  async publish<S extends EventSource>(
    operation: AsyncFirst<S>,
    payload: PublishPayload<S>,
    options: PublishOptions,
  ): Promise<AsyncFirstResult> {
    const { event: source, deadlineMs, order, direct } = operation;
    const target = direct === null ? null : this.#targetOf(direct);
    const event = await this.options.publisher.prepare(source, payload, { deadlineMs, ...options });
    const run = (): Promise<AsyncFirstResult> => this.#run(event, operation, target);
    return order === 'none' ? run() : this.#order.inLine(...placeOf(event), run);
  }

  async #run(
    event: EncodedEvent,
    { order, direct }: AsyncFirst,
    target: DirectTarget | null,
  ): Promise<AsyncFirstResult> {
    const { isConfigured } = this.options.outbox;
    const behind = isConfigured && order !== 'none' && (await this.#isBehind(event, order));
    const cause = behind ? null : await this.#publish(event);
    if (cause !== null && !(cause instanceof Error)) return cause;
    const stored = isConfigured ? await this.#store(event, cause) : false;
    const delivered = target === null ? NOT_DELIVERED : await this.#deliver(event, target, direct);
    const reached = delivered.direct !== null;
    // Nobody has it: the caller must hear of it, with the id to try again under.
    if (!stored && !reached && cause !== null) throw cause;
    const { eventId } = event.identity;
    const path = stored ? (reached ? 'outbox+direct' : 'outbox') : 'direct';
    return { path, eventId, durable: stored, receipt: null, ...delivered, cause };
  }

  /**
   * Whether the event has to go behind others in the outbox. While the broker is not known to be away it waits
   * a little for these to be published: else a key that is in use all the time would never get out again.
   */
  async #isBehind(event: EncodedEvent, order: HybridOrder): Promise<boolean> {
    const { clock } = this.options;
    const { identity, deadlineMs } = event;
    const isBehind = (): Promise<boolean> =>
      this.#order.isBehind(...placeOf(event), order === 'outbox');
    if (!(await isBehind())) return false;
    if (this.#broker.away(identity.topic, deadlineMs) !== null) return true;
    for (const until = clock.now() + deadlineMs; clock.now() < until;) {
      await sleep(clock, LOOK_MS);
      if (await isBehind()) continue;
      // The relay got through.
      this.#broker.succeeded(identity.topic);
      return false;
    }
    return true;
  }

  /** The result, or why the broker has not got the event although nothing is wrong with it. */
  async #publish(event: EncodedEvent): Promise<AsyncFirstResult | Error> {
    const { publisher, outbox, clock } = this.options;
    const { eventId, topic } = event.identity;
    // Without an outbox there is nothing better to do than to wait.
    const away = outbox.isConfigured ? this.#broker.away(topic, event.deadlineMs) : null;
    if (away !== null) return away;
    // What stood in line has its time from now on.
    const inTime = { ...event, deadlineAt: clock.now() + event.deadlineMs };
    try {
      const receipt = await publisher.deliver(inTime);
      this.#broker.succeeded(topic);
      const rest = { ...NOT_DELIVERED, cause: null };
      return { path: 'published', eventId, durable: true, receipt, ...rest };
    } catch (thrown) {
      if (!(thrown instanceof PublishError) || !thrown.retryable) throw thrown;
      this.#broker.failed(topic, thrown);
      return thrown;
    }
  }

  /** Whether the outbox has it. @throws what the outbox does, where there is no other error to tell. */
  async #store(event: EncodedEvent, cause: Error | null): Promise<boolean> {
    try {
      await this.options.outbox.storeEncoded(event);
    } catch (error) {
      if (cause === null) throw error;
      return false;
    }
    this.#order.wentBehind(...placeOf(event));
    return true;
  }

  async #deliver(
    { identity: { topic }, record }: EncodedEvent,
    target: DirectTarget,
    options: DirectOptions | null,
  ): Promise<Delivered> {
    const { key, value, headers, timestamp } = record;
    const deadlineMs = options?.deadlineMs;
    const wallTime = this.options.clock.wallTime().getTime();
    const limits = deadlineMs === undefined ? {} : { deadlineAt: wallTime + deadlineMs };
    try {
      const direct = await target.deliver({ topic, key, value, headers, timestamp }, limits);
      return { direct, directCause: null };
    } catch (thrown) {
      return { direct: null, directCause: toError(thrown) };
    }
  }

  #targetOf({ to }: DirectOptions): DirectTarget {
    const target = this.options.targets.get(to);
    if (target !== undefined) return target;
    const known = [...this.options.targets.keys()].map((name) => `"${name}"`).join(', ');
    throw new InvalidTargetError(
      `there is no "${to}" in hybrid.directTo; there ${known === '' ? 'is none' : `are ${known}`}`,
    );
  }
}

function placeOf({ identity, record }: EncodedEvent): [topic: string, key: Buffer] {
  return [identity.topic, record.key ?? NO_KEY];
}
