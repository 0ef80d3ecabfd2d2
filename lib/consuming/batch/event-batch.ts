import { BaseRpcContext } from '@nestjs/microservices';

import type { InRecord } from '../../kafka/records.js';
import { BatchDecisionError, toError } from '../../kafka-events.errors.js';
import { CallSignal } from '../call-signal.js';
import type { EventDelivery } from '../consumed-event.js';
import { BatchItem } from './batch-item.js';

/** What a handler has said of one record of its batch. */
export type BatchDecision =
  | { readonly kind: 'succeeded' }
  /** Comes back as it came, without having spent an attempt. */
  | { readonly kind: 'held' }
  | { readonly kind: 'retry'; readonly error: Error; readonly delayMs: number | null }
  | { readonly kind: 'dead-letter'; readonly reason: string };

/** What a batch is made of; all lists have one entry for each record, in the order of offsets. */
export interface BatchContent<T> {
  readonly topic: string;
  readonly partition: number;
  readonly handlerId: string;
  readonly records: readonly InRecord[];
  readonly payloads: readonly T[];
  /** Asked only for records whose item is looked at. */
  readonly deliveryOf: (index: number) => EventDelivery;
}

const SUCCEEDED: BatchDecision = { kind: 'succeeded' };
const HELD: BatchDecision = { kind: 'held' };

/**
 * What a method with `@EventBatchHandler` is given: events of one partition, in the order of their
 * offsets. Each is claimed, retried and dead-lettered by itself.
 *
 *     for (const { index, payload } of batch) {
 *       if (payload.celsius < -273.15) batch.deadLetter(index, 'colder than cold');
 *     }
 *
 * When the handler returns, what it has said nothing of has succeeded; when it throws, that has
 * failed. What it did say stands either way, the last word of each record counts.
 */
export class EventBatch<T = unknown> extends BaseRpcContext implements Iterable<BatchItem<T>> {
  readonly #content: BatchContent<T>;
  readonly #decisions = new Map<number, BatchDecision>();
  readonly #items = new Map<number, BatchItem<T>>();
  /** @internal */
  readonly call = new CallSignal();
  #over = false;

  /** @internal Made by the engine; for tests see `createEventBatch`. */
  constructor(content: BatchContent<T>) {
    super([...content.records]);
    this.#content = content;
  }

  get length(): number {
    return this.#content.payloads.length;
  }
  get topic(): string {
    return this.#content.topic;
  }
  get partition(): number {
    return this.#content.partition;
  }
  get handlerId(): string {
    return this.#content.handlerId;
  }
  /** @internal As they came. */
  get records(): readonly InRecord[] {
    return this.#content.records;
  }
  /** All payloads; the index of one is that of its record. */
  get payloads(): readonly T[] {
    return this.#content.payloads;
  }
  /** Aborted when the handler exceeds its timeout, or the process gives up waiting for it. */
  get signal(): AbortSignal {
    return this.call.signal;
  }

  /** One event with its payload, ids, headers and `publish`. @throws BatchDecisionError for an index out of range. */
  item(index: number): BatchItem<T> {
    this.#check(index);
    let item = this.#items.get(index);
    if (item === undefined) {
      const { payloads, deliveryOf } = this.#content;
      item = new BatchItem(deliveryOf(index), index, payloads[index] as T);
      this.#items.set(index, item);
    }
    return item;
  }

  *[Symbol.iterator](): IterableIterator<BatchItem<T>> {
    for (let index = 0; index < this.length; index++) yield this.item(index);
  }

  /**
   * A record failed: it is tried again in a later batch, or given up, as its error and the retry policy
   * say. Either way later records of its key come again, without spending an attempt, unless decided.
   *
   * @param delayMs until the next attempt, at most 30 s; by default the backoff of the policy.
   * @throws BatchDecisionError for an index or delay out of range, or after the handler has ended.
   */
  retry(index: number, error: unknown, delayMs?: number): void {
    if (delayMs !== undefined && !(delayMs >= 0)) {
      throw new BatchDecisionError(
        `a record cannot be retried in ${String(delayMs)} ms; give milliseconds, 0 or more`,
      );
    }
    this.#decide(index, { kind: 'retry', error: toError(error), delayMs: delayMs ?? null });
  }

  /**
   * Gives up on a record: dead letter, reason `handler-requested`. Does not throw it: go on.
   *
   * @throws BatchDecisionError for an index out of range, or after the handler has ended.
   */
  deadLetter(index: number, reason: string): void {
    this.#decide(index, { kind: 'dead-letter', reason });
  }

  /**
   * A record has succeeded, whatever happens to the handler from here on.
   *
   * @throws BatchDecisionError for an index out of range, or after the handler has ended.
   */
  settle(index: number): void {
    this.#decide(index, SUCCEEDED);
  }

  /** @internal A record was not looked at: it comes back in a later batch, at no cost. */
  hold(index: number): void {
    this.#decide(index, HELD);
  }

  /** What was said of a record; null for nothing. @throws BatchDecisionError for an index out of range. */
  decisionOn(index: number): BatchDecision | null {
    this.#check(index);
    return this.#decisions.get(index) ?? null;
  }

  /** @internal Nobody listens any more to what is said of its records. */
  end(): void {
    this.#over = true;
  }

  #decide(index: number, decision: BatchDecision): void {
    this.#check(index);
    if (this.#over) {
      throw new BatchDecisionError(
        `${this.handlerId} has ended: what it says of record ${String(index)} comes too late; ` +
          'await all work before the method returns',
      );
    }
    this.#decisions.set(index, decision);
  }

  #check(index: number): void {
    if (Number.isInteger(index) && index >= 0 && index < this.length) return;
    throw new BatchDecisionError(
      `there is no record ${String(index)} in a batch of ${String(this.length)}`,
    );
  }
}
