import type { Clock, TimerHandle } from '../contracts/clock.js';
import type { OutboxStore } from './outbox-store.js';

export interface OutboxLeaseOptions {
  readonly store: Pick<OutboxStore, 'lead' | 'resign'>;
  /** Names this relay among all. */
  readonly owner: string;
  readonly leaseMs: number;
  readonly clock: Clock;
  /** Told when this process becomes the one that publishes, and when it ceases to be. */
  readonly onChange: (leading: boolean) => void;
}

/**
 * The right to publish, which one relay has at a time.
 *
 *     following ──lead──▶ leading ──the lease runs out, or is refused──▶ following
 *
 * It is renewed every third of the lease, and ends by our own clock no later than by the store's: a process
 * that was frozen knows before it sends.
 */
export class OutboxLease {
  #until = -Infinity;
  #renewAt = -Infinity;
  #renewal: TimerHandle | null = null;
  #wasHeld = false;
  #hasResigned = false;

  constructor(private readonly options: OutboxLeaseOptions) {}

  get isHeld(): boolean {
    return this.options.clock.now() < this.#until;
  }

  /** Takes the lease where it is free; asks the store no more than every third of the lease. */
  async take(): Promise<boolean> {
    if (!this.isHeld || this.options.clock.now() >= this.#renewAt) await this.#ask();
    return this.isHeld;
  }

  /** Gives the lease back for good; a store that is away lets it run out. */
  async resign(): Promise<void> {
    this.#hasResigned = true;
    this.#stopRenewing();
    this.#until = -Infinity;
    this.#tell();
    await this.options.store.resign(this.options.owner).catch(() => undefined);
  }

  async #ask(): Promise<void> {
    const { store, owner, leaseMs, clock } = this.options;
    // From before the question: the store counts from later on.
    const askedAt = clock.now();
    const granted = await store.lead(owner, leaseMs);
    if (this.#hasResigned) {
      // Asked before, granted after it had been given back: nobody would ever give it back again.
      if (granted) await store.resign(owner).catch(() => undefined);
      return;
    }
    this.#until = granted ? askedAt + leaseMs : -Infinity;
    this.#renewAt = askedAt + leaseMs / 3;
    this.#stopRenewing();
    if (granted) this.#renewLater();
    this.#tell();
  }

  /** While a batch is on its way nobody asks. */
  #renewLater(): void {
    const { clock, leaseMs } = this.options;
    this.#renewal = clock.setTimeout(() => {
      this.#renewal = null;
      if (!this.isHeld) {
        this.#tell();
        return;
      }
      // Where the store is away the lease runs out, or the next try is in time.
      this.#ask().catch(() => {
        if (this.#renewal === null) this.#renewLater();
      });
    }, leaseMs / 3);
  }

  #stopRenewing(): void {
    if (this.#renewal !== null) this.options.clock.clearTimeout(this.#renewal);
    this.#renewal = null;
  }

  #tell(): void {
    const { isHeld } = this;
    if (isHeld === this.#wasHeld) return;
    this.#wasHeld = isHeld;
    this.options.onChange(isHeld);
  }
}
