import type { Clock } from '../contracts/clock.js';
import type { CacheFallback, ReadValue } from './fallback.js';

/** Cache options with every default filled in. */
export type CachePolicy = Readonly<Required<CacheFallback>>;

/** The last good replies of one method, by key; bounded, the one unused for longest goes first. */
export class ReplyCache {
  /** In the order of their last use. */
  readonly #replies = new Map<string, { readonly value: unknown; readonly since: number }>();

  constructor(
    private readonly policy: CachePolicy,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  remember(request: never, value: unknown): void {
    const key = this.policy.key(request);
    this.#replies.delete(key);
    this.#replies.set(key, { value, since: this.clock.now() });
    if (this.#replies.size <= this.policy.maxEntries) return;
    for (const oldest of this.#replies.keys()) {
      this.#replies.delete(oldest);
      return;
    }
  }

  recall(request: never): ReadValue<unknown> | null {
    const key = this.policy.key(request);
    const known = this.#replies.get(key);
    if (known === undefined) return null;
    this.#replies.delete(key);
    const ageMs = this.clock.now() - known.since;
    if (ageMs > this.policy.maxAgeMs) return null;
    this.#replies.set(key, known);
    return { value: known.value, ageMs };
  }
}
