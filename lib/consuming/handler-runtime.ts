import type { Clock } from '../contracts/clock.js';
import { OutageBreaker } from '../failure/outage-breaker.js';
import type { BoundHandler } from './event-handler.js';
import { Semaphore } from './semaphore.js';

/**
 * A handler with its permits in this process.
 *
 * A *ticket* lets a record be claimed for the handler; a *slot* lets the handler run. There are as
 * many slots as `concurrency`. With a store in this process tickets equal slots; with a store across
 * the network there are more, so that claims for the next records travel while handlers run.
 */
export class HandlerRuntime {
  readonly id: string;
  readonly tickets: Semaphore;
  readonly slots: Semaphore;
  /** Null where failures are never taken for an outage. */
  readonly breaker: OutageBreaker | null;

  constructor(
    readonly handler: BoundHandler,
    clock: Clock,
    claimsAhead: number,
    onTicketFree: () => void,
  ) {
    const { id, concurrency, outage } = handler.settings;
    this.id = id;
    this.slots = new Semaphore(concurrency);
    this.breaker = outage === null ? null : new OutageBreaker(outage, clock);
    this.tickets = new Semaphore(concurrency + claimsAhead, onTicketFree);
  }
}
