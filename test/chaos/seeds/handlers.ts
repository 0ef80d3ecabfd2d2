import type { ConsumedEvent } from '../../../lib/consuming/consumed-event.js';
import type { EventBatch } from '../../../lib/consuming/batch/event-batch.js';
import type { BoundHandler } from '../../../lib/consuming/event-handler.js';
import type { HandlerSettings } from '../../../lib/consuming/handler-options.js';
import { NonRetryableEventError } from '../../../lib/kafka-events.errors.js';
import { anyEvent, batchHandlerOf, handlerOf } from '../../support/engine.js';
import { attemptsInAll } from './handling.js';
import type { Ledger, Run } from './ledger.js';
import type { CrashPoint } from './moves.js';
import type { Plan } from './plan.js';
import { isPoison, type HandlerId } from './planned-record.js';
import { GROUP, TOPIC } from './topics.js';

const CREATED = anyEvent('order.created', TOPIC);
const SHIPPED = anyEvent('order.shipped', TOPIC);

/** The process in which handlers run. */
export interface HandlerProcess {
  readonly name: string;
  readonly alive: boolean;
  /** Never resolves in a process that is gone. */
  sleep(ms: number): Promise<void>;
  reach(point: CrashPoint): Promise<void>;
}

/** The handlers of one process: they do what is planned for each record, and tell the ledger. */
export class PlannedHandlers {
  constructor(
    private readonly plan: Plan,
    private readonly ledger: Ledger,
    private readonly process: HandlerProcess,
  ) {}

  get bound(): BoundHandler[] {
    const { attempts, retryTopic, holdsKeys } = this.plan.handling;
    const onDeadLetter = holdsKeys ? 'hold-key' : 'continue';
    return [
      this.#handler('reserve', [CREATED, SHIPPED], attempts, { retryTopic, onDeadLetter }),
      this.#handler('audit', [CREATED], attemptsInAll(this.plan.handling), {}),
    ];
  }

  #handler(
    id: HandlerId,
    contracts: (typeof CREATED)[],
    attempts: number,
    own: Partial<HandlerSettings>,
  ): BoundHandler {
    const { concurrency, handling } = this.plan;
    const retry = { attempts, initialDelayMs: 50, factor: 2, maxDelayMs: 1_000, jitter: 0.5 };
    const idempotency = { windowMs: 30 * 60_000, scope: 'event' } as const;
    const settings = { groupId: GROUP, concurrency, retry, idempotency, ...own };
    if (handling.batch === null) {
      return handlerOf(id, contracts, (_, event) => this.#handle(id, event), settings);
    }
    const { maxSize, maxWaitMs } = handling.batch;
    const ofBatches = { ...settings, maxSize, maxWaitMs, timeoutMs: 5 * 60_000 };
    return batchHandlerOf(id, contracts, (batch) => this.#handleBatch(id, batch), ofBatches);
  }

  async #handle(handler: HandlerId, event: ConsumedEvent): Promise<void> {
    if (!this.process.alive) return never();
    const run = this.#runOf(handler, event);
    this.ledger.begin([run]);
    const error = await this.#attempt(run, event);
    this.ledger.end([run]);
    if (error !== null) throw error;
  }

  async #handleBatch(handler: HandlerId, batch: EventBatch): Promise<void> {
    if (!this.process.alive) return never();
    const items = [...batch].map((event) => ({ event, run: this.#runOf(handler, event) }));
    const call = items.map(({ run }) => run);
    this.ledger.begin(call);
    const left = new Set<string>();
    for (const { event, run } of items) {
      const { key, kind, blames } = run.record;
      if (left.has(key)) continue;
      const error = await this.#attempt(run, event);
      if (error === null) {
        if (this.plan.handling.batch?.settles === true) batch.settle(event.index);
      } else if (blames === 'record') {
        batch.retry(event.index, error);
        left.add(key);
      } else if (kind === 'refused') {
        batch.deadLetter(event.index, error.message);
      } else {
        this.ledger.end(call);
        throw error;
      }
    }
    this.ledger.end(call);
  }

  /** Comes to the effect and from there to the end; or answers why not. */
  async #attempt(run: Run, event: ConsumedEvent): Promise<Error | null> {
    const { ledger, process } = this;
    await process.sleep(run.record.beforeMs);
    await process.reach('before the effect');
    const error = this.#failureOf(run, event);
    if (error !== null) {
      ledger.failure(run);
      return error;
    }
    ledger.effect(run);
    await process.reach('after the effect');
    await process.sleep(run.record.afterMs);
    return null;
  }

  #failureOf(run: Run, { attempt }: ConsumedEvent): Error | null {
    const { record, handler } = run;
    if (isPoison(record, handler)) {
      return record.kind === 'refused'
        ? new NonRetryableEventError('poison')
        : new Error('it never works');
    }
    if (record.kind !== 'flaky' || this.ledger.failuresOf(run) >= record.failures) return null;
    // Others of its batch may have cost it attempts: it is no poison, and does not fail the last.
    const { handling } = this.plan;
    if (handling.batch !== null && attempt >= attemptsInAll(handling)) return null;
    return new Error('it did not work');
  }

  #runOf(handler: HandlerId, { eventId, partition, offset }: ConsumedEvent): Run {
    const place = { partition, offset: Number(offset) };
    return { handler, record: this.ledger.recordOf(eventId), place, member: this.process.name };
  }
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
