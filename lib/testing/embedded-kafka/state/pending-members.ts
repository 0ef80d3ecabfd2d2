import type { Clock } from '../../../contracts/clock.js';
import { RestartableTimer } from './restartable-timer.js';

/**
 * Member ids that were given out and not used yet: their clients must ask again with them.
 *
 * @see KIP-394
 */
export class PendingMembers {
  readonly #expiries = new Map<string, RestartableTimer>();

  constructor(private readonly clock: Clock) {}

  get size(): number {
    return this.#expiries.size;
  }

  add(memberId: string, timeoutMs: number, onExpired: () => void): void {
    const expiry = new RestartableTimer(this.clock);
    this.#expiries.set(memberId, expiry);
    expiry.start(timeoutMs, () => {
      this.#expiries.delete(memberId);
      onExpired();
    });
  }

  /** Answers whether it was there. */
  delete(memberId: string): boolean {
    this.#expiries.get(memberId)?.cancel();
    return this.#expiries.delete(memberId);
  }

  clear(): void {
    for (const memberId of [...this.#expiries.keys()]) this.delete(memberId);
  }
}
