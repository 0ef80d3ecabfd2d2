import type { OutageOptions, OutagePolicy } from '../failure/outage-breaker.js';
import type { RetryOptions, RetryPolicy, RetryTopicOptions } from '../failure/retry-policy.js';
import type { AdaptiveOptions, AdaptivePolicy } from './adaptive-limit.js';
import type { RateOptions, RatePolicy } from './rate-limit.js';

/** What keeps order: records of one key, of one partition, or nothing. */
export type Ordering = 'key' | 'partition' | 'none';

/** What an event id is unique for: the topic (default), or only the partition it was written to. */
export type IdempotencyScope = 'event' | 'partition';

export interface HandlerIdempotencyOptions {
  /** How long a finished event is remembered. Default: the module's `idempotency.windowMs`. */
  readonly windowMs?: number;
  /** Default `'event'`. */
  readonly scope?: IdempotencyScope;
}

/** Options of `@EventHandler`; each may be overridden by the module's `handlers: { [id]: … }`. */
export interface EventHandlerOptions {
  /**
   * What claims, dead letters and metrics know the handler by. Renaming it forgets what was done,
   * unless `aliases` names the old id. Default `Class.method`.
   */
  readonly id?: string;
  /**
   * Ids it had before a rename, oldest first. Claims, and the ids of what it publishes, go on under
   * the oldest, so that a rename repeats no effect, not even while old and new versions run together.
   */
  readonly aliases?: readonly string[];
  /** Consumer group. Default: the module's `consumer.groupId`. */
  readonly groupId?: string;
  /**
   * Records of this handler running at once in this process: a number, or bounds in which it follows
   * how long calls take. Default 16.
   */
  readonly concurrency?: number | AdaptiveOptions;
  /** Default `'key'`. Must be the same for all handlers of one topic and group. */
  readonly ordering?: Ordering;
  /** After this its `signal` is aborted; after twice this the record is dead-lettered. Default 5 minutes. */
  readonly timeoutMs?: number;
  /** At most how often it starts in this process. Default: as often as it can. */
  readonly rate?: RateOptions | false;
  readonly retry?: RetryOptions;
  /**
   * Further attempts without holding up its key: when those in the lane are spent (`retry.attempts`),
   * the record is written to the group's retry topic, `<topic>.<group>.retry`, waits there for the next
   * of `delaysMs`, and is tried once after each; the records behind it go on at once.
   *
   * **This gives up order within the key**: an event is then handled after later ones of its key. Leave
   * it off where a handler could not stand that. Default: the module's `retryTopic.delaysMs`; `false`
   * for none.
   */
  readonly retryTopic?: RetryTopicOptions | false;
  /**
   * What becomes of a key when one of its records is dead-lettered: its later records go on (default), or
   * wait, with `'hold-key'`, until the dead letter was replayed with success or an operator lets the key
   * go (`ConsumerControl.releaseKey`). Records without a key wait for nobody. It needs `ordering` and
   * `idempotency`, and no retry topic.
   */
  readonly onDeadLetter?: 'continue' | 'hold-key';
  /** `false`: failures are never taken for an outage. Default: the module's `outage`. */
  readonly outage?: OutageOptions | false;
  /** `false` runs the handler for every delivery: for handlers that are idempotent by themselves. */
  readonly idempotency?: HandlerIdempotencyOptions | false;
  /** True to be called with `null` for records without a value. Default: the module's `tombstones`. */
  readonly tombstones?: boolean;
  /**
   * True lets others deliver its events past Kafka (`directDelivery` of the module), while their broker is
   * away, say. **Such events have no order**, not even within their key. Their copies from Kafka come
   * later and are duplicates, so it needs a shared idempotency store. Default false.
   */
  readonly acceptsDirect?: boolean;
}

/** How many records come to a handler of batches at once. */
export interface BatchOptions {
  /** Records of one batch at the most. Default 500. */
  readonly maxSize?: number;
  /** For how long a batch that is not full waits for more, from its first record on. Default 200 ms. */
  readonly maxWaitMs?: number;
}

/**
 * Options of `@EventBatchHandler`: those of `@EventHandler`, but for `ordering`, since batches keep the
 * order of each key. `rate` counts records, `timeoutMs` is for a whole batch.
 */
export interface EventBatchHandlerOptions
  extends
    Omit<EventHandlerOptions, 'ordering' | 'concurrency' | 'onDeadLetter' | 'acceptsDirect'>,
    BatchOptions {
  /** Batches of this handler running at once in this process, one for each partition at the most. Default 16. */
  readonly concurrency?: number;
}

/** What the module's `handlers: { [id]: … }` may override; what is not for its kind of handler is refused. */
export interface EventHandlerOverrides
  extends Omit<EventHandlerOptions, 'id' | 'aliases'>, BatchOptions {}

/** Whether a handler takes one record at a time, or a batch. */
export type HandlerKind = 'record' | 'batch';

/** A handler's options with every default filled in. */
export interface HandlerSettings {
  readonly id: string;
  /** The oldest id it ever had: what its claims are named after. */
  readonly claimedAs: string;
  /** Ids it had before, oldest first. */
  readonly aliases: readonly string[];
  readonly groupId: string;
  readonly concurrency: number | AdaptivePolicy;
  readonly ordering: Ordering;
  readonly timeoutMs: number;
  /** Null: as often as it can. */
  readonly rate: RatePolicy | null;
  readonly retry: RetryPolicy;
  /** Null: attempts are made in the lane alone, but for errors whose schedule says otherwise. */
  readonly retryTopic: RetryTopicOptions | null;
  readonly onDeadLetter: 'continue' | 'hold-key';
  /** Null: every failure is the record's own. */
  readonly outage: OutagePolicy | null;
  /** Null: no dedup. */
  readonly idempotency: { readonly windowMs: number; readonly scope: IdempotencyScope } | null;
  readonly tombstones: boolean;
  readonly acceptsDirect: boolean;
  /** Null: it takes one record at a time. */
  readonly batch: BatchPolicy | null;
}

export type BatchPolicy = Readonly<Required<BatchOptions>>;
