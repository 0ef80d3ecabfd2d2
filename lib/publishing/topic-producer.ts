import type { Clock, TimerHandle } from '../contracts/clock.js';
import { retryDelayMs, type RetryPace } from '../failure/retry-policy.js';
import { DriverError } from '../kafka-events.errors.js';
import type { ProducerDriver, RecordPosition } from '../kafka/driver.js';
import { sizeOfRecord, type OutRecord } from '../kafka/records.js';
import { asDriverError } from './as-driver-error.js';
import { BatchLimit } from './batch-limit.js';
import { EarliestTimer } from './earliest-timer.js';
import { SendDeadlineError } from './send-deadline-error.js';

/** Delays between tries; how many there are is up to the deadline of each record. */
const BACKOFF = {
  attempts: Infinity,
  initialDelayMs: 100,
  factor: 2,
  maxDelayMs: 5_000,
  jitter: 0.5,
} satisfies RetryPace;

export interface TopicProducerOptions {
  readonly topic: string;
  readonly createProducer: () => ProducerDriver;
  readonly clock: Clock;
  /** A number in [0, 1), as `Math.random` gives. */
  readonly random: () => number;
  readonly maxBatchRecords: number;
  /** A send without an answer for this long is given up and tried again. */
  readonly sendTimeoutMs: number;
  /** True leaves trying again to the caller: the first failed try rejects. Default false. */
  readonly once?: boolean;
  readonly onRecycled: (error: DriverError) => void;
}

export interface TopicProducerStats {
  readonly topic: string;
  readonly queued: number;
  readonly inFlight: number;
  /** Failed tries since the last success. */
  readonly failures: number;
  /** What the last try failed with; null after a success. */
  readonly lastError: DriverError | null;
}

interface PendingRecord {
  readonly record: OutRecord;
  readonly bytes: number;
  readonly deadlineAt: number;
  readonly resolve: (position: RecordPosition) => void;
  readonly reject: (error: DriverError) => void;
  settled: boolean;
}

/**
 * Sends records to one topic, in the order they were given, each until it is acknowledged or its
 * deadline passes.
 *
 * One failure domain: one request is outstanding, what comes meanwhile shares the next one, and
 * after any failed request its producer is thrown away. A kafkajs producer that goes on after a
 * failure reuses sequence numbers, and the broker then acknowledges a record it never stored.
 *
 *     idle ─ send ─> scheduled ─ end of the turn ─> sending ─ acknowledged, refused ─> idle
 *                        ^                             └ failed ─> backing-off ─ delay ─> idle
 *                        └ idle with records queued is scheduled at once; close() ends every state
 */
export class TopicProducer {
  #state: 'idle' | 'scheduled' | 'sending' | 'backing-off' | 'closed' = 'idle';
  #queue: PendingRecord[] = [];
  /** The records of the outstanding request, and which request that is. */
  #inFlight: readonly PendingRecord[] = [];
  #giveUpAt = Infinity;
  #driver: ProducerDriver | null = null;
  readonly #closing = new Set<Promise<void>>();
  readonly #limit: BatchLimit;
  readonly #deadlines: EarliestTimer;
  #backoff: TimerHandle | null = null;
  #failures = 0;
  #lastError: DriverError | null = null;

  constructor(private readonly options: TopicProducerOptions) {
    this.#limit = new BatchLimit(options.maxBatchRecords);
    this.#deadlines = new EarliestTimer(options.clock, () => {
      this.#onDeadline();
    });
  }

  /**
   * Resolves when the broker has the record.
   *
   * @param deadlineAt by `Clock.now`; the promise settles by then.
   * @throws SendDeadlineError when it was not acknowledged in time; it may still arrive.
   * @throws DriverError of kind `too-large`, `invalid-record`, `fatal`, `auth` or `unknown-topic` when it was
   * refused, of kind `closed` after or by `close`.
   */
  send(record: OutRecord, deadlineAt: number): Promise<RecordPosition> {
    if (this.#state === 'closed') return Promise.reject(this.#closedError());
    return new Promise((resolve, reject) => {
      const bytes = sizeOfRecord(record);
      this.#queue.push({ record, bytes, deadlineAt, resolve, reject, settled: false });
      this.#deadlines.arm(deadlineAt);
      if (this.#state === 'idle') this.#schedule();
    });
  }

  stats(): TopicProducerStats {
    return {
      topic: this.options.topic,
      queued: this.#queue.length,
      inFlight: this.#inFlight.length,
      failures: this.#failures,
      lastError: this.#lastError,
    };
  }

  /** Rejects what is not acknowledged yet; resolves when every producer it used is closed. */
  async close(): Promise<void> {
    this.#state = 'closed';
    this.#deadlines.disarm();
    if (this.#backoff !== null) this.options.clock.clearTimeout(this.#backoff);
    rejectAll([...this.#inFlight, ...this.#queue], this.#closedError());
    this.#inFlight = [];
    this.#queue = [];
    this.#discardDriver();
    await Promise.all(this.#closing);
  }

  /** The rest of this turn of the event loop is waited for: what is sent in it shares a request. */
  #schedule(): void {
    this.#state = 'scheduled';
    setImmediate(() => {
      if (this.#state === 'scheduled') this.#dispatch();
    });
  }

  #dispatch(): void {
    this.#expire();
    const batch = this.#queue.splice(0, this.#limit.fit(this.#queue));
    if (batch.length === 0) {
      this.#rest();
      return;
    }
    this.#state = 'sending';
    this.#inFlight = batch;
    this.#giveUpAt = this.options.clock.now() + this.options.sendTimeoutMs;
    this.#deadlines.arm(this.#giveUpAt);
    // An answer to a request that was given up, or closed over, is nobody's any more.
    this.#transmit(batch).then(
      (positions) => {
        if (this.#inFlight === batch) this.#acknowledged(batch, positions);
      },
      (thrown: unknown) => {
        if (this.#inFlight === batch) this.#failed(batch, asDriverError(thrown));
      },
    );
  }

  async #transmit(batch: readonly PendingRecord[]): Promise<readonly RecordPosition[]> {
    this.#driver ??= this.options.createProducer();
    return this.#driver.send(
      this.options.topic,
      batch.map(({ record }) => record),
    );
  }

  #acknowledged(batch: readonly PendingRecord[], positions: readonly RecordPosition[]): void {
    if (positions.length !== batch.length) {
      const answer = `the driver answered ${positions.length} positions for ${batch.length} records`;
      this.#failed(batch, new DriverError('fatal', answer));
      return;
    }
    this.#failures = 0;
    this.#lastError = null;
    this.#limit.accepted();
    positions.forEach((position, index) => batch[index]?.resolve(position));
    this.#rest();
  }

  #failed(batch: readonly PendingRecord[], error: DriverError): void {
    this.#failures++;
    this.#lastError = error;
    this.#discardDriver();
    this.options.onRecycled(error);
    switch (fateOf(error, batch.length)) {
      case 'reject':
        rejectAll(batch, error);
        this.#rest();
        break;
      case 'split':
        this.#limit.refused(batch.length);
        this.#requeue(batch);
        this.#rest();
        break;
      case 'retry':
        if (this.options.once === true) {
          rejectAll(batch, error);
          this.#rest();
          break;
        }
        this.#requeue(batch);
        this.#backOff();
    }
  }

  #requeue(batch: readonly PendingRecord[]): void {
    this.#queue.unshift(...batch.filter(({ settled }) => !settled));
  }

  #backOff(): void {
    this.#endRequest('backing-off');
    const delayMs = retryDelayMs(BACKOFF, this.#failures, this.options.random());
    this.#backoff = this.options.clock.setTimeout(() => {
      this.#rest();
    }, delayMs);
  }

  #rest(): void {
    this.#endRequest('idle');
    if (this.#queue.length > 0) this.#schedule();
    else this.#deadlines.disarm();
  }

  #endRequest(state: 'idle' | 'backing-off'): void {
    this.#state = state;
    this.#inFlight = [];
    this.#giveUpAt = Infinity;
  }

  #onDeadline(): void {
    if (this.#giveUpAt <= this.options.clock.now()) {
      const waited = `no answer to a send within ${this.options.sendTimeoutMs} ms`;
      this.#failed(this.#inFlight, new DriverError('retryable', waited));
    }
    this.#expire();
  }

  /** Rejects what is past its deadline, queued or in flight, and arms the timer for the next. */
  #expire(): void {
    const now = this.options.clock.now();
    let next = this.#giveUpAt;
    const expired: PendingRecord[] = [];
    for (const records of [this.#inFlight, this.#queue]) {
      for (const pending of records) {
        if (pending.deadlineAt > now) next = Math.min(next, pending.deadlineAt);
        else if (!pending.settled) expired.push(pending);
      }
    }
    this.#deadlines.arm(next);
    if (expired.length === 0) return;
    rejectAll(expired, new SendDeadlineError(this.options.topic, this.#lastError));
    this.#queue = this.#queue.filter(({ settled }) => !settled);
  }

  /** Not awaited: closing a producer whose broker is away takes as long as it likes. */
  #discardDriver(): void {
    const driver = this.#driver;
    if (driver === null) return;
    this.#driver = null;
    const forget = () => void this.#closing.delete(closing);
    const closing: Promise<void> = driver.close().then(forget, forget);
    this.#closing.add(closing);
  }

  #closedError(): DriverError {
    return new DriverError('closed', `the producer of "${this.options.topic}" was closed`);
  }
}

/** What happens to the records of a request that failed. */
function fateOf({ kind }: DriverError, records: number): 'retry' | 'split' | 'reject' {
  switch (kind) {
    case 'retryable':
    case 'fenced':
    // Not closed by us: whoever closed the client, a new one may do.
    case 'closed':
      return 'retry';
    case 'too-large':
    case 'invalid-record':
    case 'fatal':
      // One record's fault fails the whole request: the others are tried without it.
      return records > 1 ? 'split' : 'reject';
    case 'auth':
    case 'unknown-topic':
      return 'reject';
  }
}

function rejectAll(records: readonly PendingRecord[], error: DriverError): void {
  for (const pending of records) {
    pending.settled = true;
    pending.reject(error);
  }
}
