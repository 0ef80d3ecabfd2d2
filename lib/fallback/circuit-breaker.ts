import { CircuitState, CountBreaker } from 'cockatiel';

import type { Clock } from '../contracts/clock.js';
import { retryDelayMs } from '../failure/retry-policy.js';

/** When a service is taken for sick, and how it is tried again. */
export interface BreakerOptions {
  /** Ended calls that are looked back on. Default 20. */
  readonly calls?: number;
  /** So many must have ended before it can open. Default 10. */
  readonly minCalls?: number;
  /** It opens when more than this share of them failed, between 0 and 1. Default 0.5. */
  readonly failing?: number;
  /** What takes as long is slow, even where it succeeds. Default: nothing is. */
  readonly slowCallMs?: number;
  /** It opens when more than this share of them was slow, between 0 and 1. Default 0.8. */
  readonly slow?: number;
  /** How long it stays open the first time, of which up to a half is left off at random. Default 5 s. */
  readonly openMs?: number;
  /** Doubled each time a probe fails, up to this. Default 60 s. */
  readonly maxOpenMs?: number;
  /** Calls that are let through to try, and must succeed for it to close. Default 2. */
  readonly probes?: number;
  /** A probe that has not come back by then has failed. Default 5 s. */
  readonly probeTimeoutMs?: number;
}

/** Breaker options with every default filled in; null: nothing is slow. */
export type BreakerPolicy = Readonly<Required<Omit<BreakerOptions, 'slowCallMs'>>> & {
  readonly slowCallMs: number | null;
};

export type BreakerState = 'closed' | 'open' | 'half-open';

/** What a breaker tells of its moves. */
export interface BreakerHooks {
  opened(error: Error, openMs: number): void;
  halfOpened(): void;
  /** @param openForMs since it opened first, half-open times included. */
  closed(openForMs: number): void;
}

/** Lets one call through. Its end is told once; what is told later, or a second time, counts for nothing. */
export interface Permit {
  /** Whether the service is being tried. */
  readonly isProbe: boolean;
  succeeded(durationMs: number): void;
  failed(error: Error): void;
  /** It ended in a way that says nothing of the service's health. */
  saidNothing(): void;
}

interface Closed {
  readonly name: 'closed';
  /** Cockatiel's windows over the latest calls; each judges one kind of trouble. */
  readonly failures: CountBreaker;
  readonly slowness: CountBreaker;
}

interface Troubled {
  readonly error: Error;
  /** When it left `closed`. */
  readonly since: number;
  /** How often it opened since then. */
  readonly openings: number;
}

interface Open extends Troubled {
  readonly name: 'open';
  readonly until: number;
}

interface HalfOpen extends Troubled {
  readonly name: 'half-open';
  /** When each probe under way began. */
  readonly probes: Map<Permit, number>;
  succeeded: number;
}

/**
 * Keeps calls from a service that is sick, and finds out with few of them when it is well again.
 *
 *     closed ──too many failed, or were slow──▶ open ──its time is over, and somebody asks──▶ half-open
 *       ▲                                        ▲                                             │  │
 *       │                                        └── a probe failed, was slow, or stayed away ─┘  │
 *       └─────────────────────────────────────────── as many probes as asked for succeeded ───────┘
 *
 * What it counts are ended calls that tell of the service's health, and no others. Each state begins
 * anew: what ends after a move was let through before it, and counts for nothing. It has no timer.
 *
 * Cockatiel's own policy around its windows takes a refusal for success in half-open, has others wait
 * for a probe however long that takes, and knows no slow calls, so that it is not used here.
 */
export class CircuitBreaker {
  #state: Closed | Open | HalfOpen;

  /** @param random numbers in [0, 1), as `Math.random` gives. */
  constructor(
    private readonly policy: BreakerPolicy,
    private readonly clock: Pick<Clock, 'now'>,
    private readonly random: () => number,
    private readonly hooks: BreakerHooks,
  ) {
    this.#state = this.#anew();
  }

  get state(): BreakerState {
    return this.#state.name;
  }

  /** What opened it last, and since when it has not been closed; null when it is. */
  get trouble(): { readonly error: Error; readonly since: number } | null {
    return this.#state.name === 'closed' ? null : this.#state;
  }

  /** How long a call would have to wait before it is let through: null when it would be now. */
  get refusesForMs(): number | null {
    const state = this.#state;
    const now = this.clock.now();
    if (state.name === 'closed') return null;
    if (state.name === 'open') return now < state.until ? state.until - now : null;
    const oldest = Math.min(...state.probes.values());
    const hasRoom = state.probes.size + state.succeeded < this.policy.probes;
    // One that stays away has failed: the call that finds out moves the state, and is refused.
    return hasRoom || now - oldest >= this.policy.probeTimeoutMs ? null : 0;
  }

  /** Lets a call through, or answers null. */
  admit(): Permit | null {
    this.#failHungProbes();
    const state = this.#state;
    if (state.name === 'open' && this.clock.now() >= state.until) this.#halfOpen(state);
    if (this.refusesForMs !== null) return null;
    const permit = this.#permit();
    if (this.#state.name === 'half-open') this.#state.probes.set(permit, this.clock.now());
    return permit;
  }

  #permit(): Permit {
    const issuedIn = this.#state;
    const isProbe = issuedIn.name === 'half-open';
    let hasEnded = false;
    const end = (count: () => void): void => {
      if (hasEnded || this.#state !== issuedIn) return;
      hasEnded = true;
      if (isProbe) issuedIn.probes.delete(permit);
      count();
    };
    const permit: Permit = {
      isProbe,
      succeeded: (durationMs) => {
        end(() => {
          this.#succeeded(durationMs);
        });
      },
      failed: (error) => {
        end(() => {
          this.#failed(error);
        });
      },
      saidNothing: () => {
        end(() => undefined);
      },
    };
    return permit;
  }

  #succeeded(durationMs: number): void {
    const { slowCallMs, probes } = this.policy;
    const state = this.#state;
    const isSlow = slowCallMs !== null && durationMs >= slowCallMs;
    if (state.name === 'closed') {
      state.failures.success(CircuitState.Closed);
      if (!isSlow) state.slowness.success(CircuitState.Closed);
      else if (state.slowness.failure(CircuitState.Closed)) this.#open(tooSlow(durationMs));
    } else if (state.name === 'half-open') {
      if (isSlow) this.#open(tooSlow(durationMs));
      else if (++state.succeeded >= probes) this.#close(state);
    }
  }

  #failed(error: Error): void {
    const state = this.#state;
    if (state.name !== 'closed') this.#open(error);
    else if (state.failures.failure(CircuitState.Closed)) this.#open(error);
  }

  /** Found out when somebody asks: there is no timer to do it. */
  #failHungProbes(): void {
    const state = this.#state;
    if (state.name !== 'half-open') return;
    const { probeTimeoutMs } = this.policy;
    const oldest = Math.min(...state.probes.values());
    if (this.clock.now() - oldest < probeTimeoutMs) return;
    this.#open(new Error(`no answer to a probe within ${String(probeTimeoutMs)} ms`));
  }

  #open(error: Error): void {
    const now = this.clock.now();
    const { openMs: initialDelayMs, maxOpenMs: maxDelayMs } = this.policy;
    const { since, openings } =
      this.#state.name === 'closed' ? { since: now, openings: 0 } : this.#state;
    const pace = { attempts: 1, initialDelayMs, factor: 2, maxDelayMs, jitter: 0.5 };
    const openMs = retryDelayMs(pace, openings + 1, this.random());
    this.#state = { name: 'open', error, since, openings: openings + 1, until: now + openMs };
    this.hooks.opened(error, openMs);
  }

  #halfOpen({ error, since, openings }: Open): void {
    const probes = new Map<Permit, number>();
    this.#state = { name: 'half-open', error, since, openings, probes, succeeded: 0 };
    this.hooks.halfOpened();
  }

  #close({ since }: HalfOpen): void {
    this.#state = this.#anew();
    this.hooks.closed(this.clock.now() - since);
  }

  #anew(): Closed {
    const { calls: size, minCalls: minimumNumberOfCalls, failing, slow } = this.policy;
    const windowOf = (threshold: number) =>
      new CountBreaker({ threshold, size, minimumNumberOfCalls });
    return { name: 'closed', failures: windowOf(failing), slowness: windowOf(slow) };
  }
}

function tooSlow(durationMs: number): Error {
  return new Error(`it answers, but slowly: the latest call took ${String(durationMs)} ms`);
}
