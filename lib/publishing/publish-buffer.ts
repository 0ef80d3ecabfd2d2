import type { Clock } from '../contracts/clock.js';
import { PublishBufferFullError, PublishDeadlineError } from '../kafka-events.errors.js';
import type { ProducerSettings } from '../kafka-events.options.js';
import { EarliestTimer } from './earliest-timer.js';
import type { EncodedEvent } from './event-encoder.js';

interface WaitingEvent {
  readonly event: EncodedEvent;
  readonly start: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Bounds what waits for the broker, by count and bytes, over all topics.
 *
 * Events beyond the bounds wait in line, each until its own deadline, or are refused
 * (`onBufferFull: 'fail'`). Nobody overtakes: a task starts in the order of the calls of `run`.
 */
export class PublishBuffer {
  #events = 0;
  #bytes = 0;
  #waiting: WaitingEvent[] = [];
  readonly #deadlines: EarliestTimer;
  readonly #onEmpty: (() => void)[] = [];

  constructor(
    private readonly bounds: Pick<
      ProducerSettings,
      'maxBufferedEvents' | 'maxBufferedBytes' | 'onBufferFull'
    >,
    private readonly clock: Clock,
  ) {
    this.#deadlines = new EarliestTimer(clock, () => {
      this.#expire();
    });
  }

  get events(): number {
    return this.#events;
  }
  get bytes(): number {
    return this.#bytes;
  }
  /** Events that wait for room. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Runs `send` once there is room for the event, which it occupies until `send` settles.
   *
   * @throws PublishBufferFullError, PublishDeadlineError while waiting for room, or what `send` throws.
   */
  run<T>(event: EncodedEvent, send: () => Promise<T>): Promise<T> {
    if (this.#waiting.length === 0 && this.#hasRoomFor(event)) return this.#occupy(event, send);
    if (this.bounds.onBufferFull === 'fail') return Promise.reject(this.#fullError(event));
    return new Promise((resolve, reject) => {
      const start = () => {
        resolve(this.#occupy(event, send));
      };
      this.#waiting.push({ event, start, reject });
      this.#deadlines.arm(event.deadlineAt);
    });
  }

  /** Resolves when nothing is in the buffer, and so nothing waits for room in it either. */
  whenEmpty(): Promise<void> {
    if (this.#events === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onEmpty.push(resolve);
    });
  }

  async #occupy<T>({ bytes }: EncodedEvent, send: () => Promise<T>): Promise<T> {
    this.#events++;
    this.#bytes += bytes;
    try {
      return await send();
    } finally {
      this.#events--;
      this.#bytes -= bytes;
      this.#admit();
    }
  }

  #hasRoomFor({ bytes }: EncodedEvent): boolean {
    // An empty buffer takes anything, or an event larger than the buffer would wait for nothing.
    if (this.#events === 0) return true;
    const { maxBufferedEvents, maxBufferedBytes } = this.bounds;
    return this.#events < maxBufferedEvents && this.#bytes + bytes <= maxBufferedBytes;
  }

  #admit(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (!this.#hasRoomFor(next.event)) return;
      this.#waiting.shift();
      next.start();
    }
    if (this.#events > 0) return;
    this.#deadlines.disarm();
    for (const notify of this.#onEmpty.splice(0)) notify();
  }

  #expire(): void {
    const now = this.clock.now();
    const expired = this.#waiting.filter(({ event }) => event.deadlineAt <= now);
    this.#waiting = this.#waiting.filter(({ event }) => event.deadlineAt > now);
    for (const { event } of this.#waiting) this.#deadlines.arm(event.deadlineAt);
    for (const { event, reject } of expired) {
      reject(new PublishDeadlineError(event.identity, event.deadlineMs, this.#fullError(event)));
    }
    // Whoever stood in front may have needed more room than the next in line.
    this.#admit();
  }

  #fullError(event: EncodedEvent): PublishBufferFullError {
    const held = `${this.#events} events, ${this.#bytes} bytes wait for the broker`;
    return new PublishBufferFullError(event.identity, `the publish buffer is full: ${held}`);
  }
}
