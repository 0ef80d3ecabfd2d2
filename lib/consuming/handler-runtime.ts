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

  constructor(
    readonly handler: BoundHandler,
    claimsAhead: number,
    onTicketFree: () => void,
  ) {
    const { id, concurrency } = handler.settings;
    this.id = id;
    this.slots = new Semaphore(concurrency);
    this.tickets = new Semaphore(concurrency + claimsAhead, onTicketFree);
  }
}
