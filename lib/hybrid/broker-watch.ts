import type { Clock } from '../contracts/clock.js';

/** How long a topic is taken for away after its last failure. */
const AWAY_MS = 1_000;

/**
 * Remembers topics that the broker did not take, so that not every event waits to find out anew: for a
 * while all go to the outbox at once, then one tries.
 */
export class BrokerWatch {
  readonly #away = new Map<string, { readonly error: Error; tryAt: number }>();

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  /** Why the topic need not be tried; null to try it. Whoever is told to try does so for `tryMs`, alone. */
  away(topic: string, tryMs: number): Error | null {
    const away = this.#away.get(topic);
    if (away === undefined) return null;
    const now = this.clock.now();
    if (now < away.tryAt) return away.error;
    away.tryAt = now + tryMs;
    return null;
  }

  failed(topic: string, error: Error): void {
    this.#away.set(topic, { error, tryAt: this.clock.now() + AWAY_MS });
  }

  succeeded(topic: string): void {
    this.#away.delete(topic);
  }
}
