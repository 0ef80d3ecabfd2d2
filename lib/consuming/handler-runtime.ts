import type { Clock } from '../contracts/clock.js';
import { OutageBreaker } from '../failure/outage-breaker.js';
import type { ControlledHandler } from './consumer-control.js';
import { AdaptiveLimit, type EndedCall } from './adaptive-limit.js';
import type { BoundHandler } from './event-handler.js';
import { RateLimit } from './rate-limit.js';
import { Semaphore } from './semaphore.js';

/**
 * A handler with its permits in this process.
 *
 * A *ticket* lets a record be claimed for the handler; a *slot* lets the handler run. There are as
 * many slots as `concurrency`. With a store in this process tickets equal slots; with a store across
 * the network there are more, so that claims for the next records travel while handlers run.
 */
export class HandlerRuntime implements ControlledHandler {
  readonly id: string;
  readonly tickets: Semaphore;
  readonly slots: Semaphore;
  /** Null where failures are never taken for an outage. */
  readonly breaker: OutageBreaker | null;
  /** Null where it may start as often as it can. */
  readonly rate: RateLimit | null;
  #adaptive: AdaptiveLimit | null;
  #concurrency: number;
  #held = false;

  constructor(
    readonly handler: BoundHandler,
    clock: Clock,
    private readonly claimsAhead: number,
    onTicketFree: () => void,
  ) {
    const { id, concurrency, outage, rate } = handler.settings;
    this.id = id;
    this.#adaptive = typeof concurrency === 'number' ? null : new AdaptiveLimit(concurrency, clock);
    this.#concurrency = typeof concurrency === 'number' ? concurrency : concurrency.min;
    this.slots = new Semaphore(this.#concurrency);
    this.breaker = outage === null ? null : new OutageBreaker(outage, clock);
    this.rate = rate === null ? null : new RateLimit(rate, clock);
    this.tickets = new Semaphore(this.#concurrency + claimsAhead, onTicketFree);
  }

  get concurrency(): number {
    return this.#concurrency;
  }

  /** What finds its concurrency; null where that is a fixed number. */
  get adaptive(): AdaptiveLimit | null {
    return this.#adaptive;
  }

  /** Whether an operator holds it: then it has no tickets to give, and no slots. */
  get held(): boolean {
    return this.#held;
  }

  /** Whether it goes, or went, by that id. */
  answersTo(id: string): boolean {
    const { aliases } = this.handler.settings;
    return this.id === id || aliases.includes(id);
  }

  hold(held: boolean): void {
    this.#held = held;
    this.#resize();
  }

  /** From now on, whatever was found. */
  setConcurrency(concurrency: number): void {
    this.#adaptive = null;
    this.#concurrency = concurrency;
    this.#resize();
  }

  /** Learns from a call; answers whether its concurrency has changed. */
  adaptTo(call: EndedCall): boolean {
    if (this.#adaptive?.ended(call) !== true) return false;
    this.#concurrency = this.#adaptive.limit;
    this.#resize();
    return true;
  }

  #resize(): void {
    this.slots.resize(this.#held ? 0 : this.#concurrency);
    this.tickets.resize(this.#held ? 0 : this.#concurrency + this.claimsAhead);
  }
}
