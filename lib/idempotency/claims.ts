import type { Clock, TimerHandle } from '../contracts/clock.js';
import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import { toError } from '../kafka-events.errors.js';
import { CallCoalescer } from './call-coalescer.js';
import type {
  ClaimAnswer,
  ClaimRequest,
  Completion,
  CompletedState,
  IdempotencyStore,
  Release,
  Start,
  Suspicion,
} from './idempotency-store.js';

/** A claim we hold. */
export class HeldClaim {
  readonly status = 'claimed';
  /** Called when the claim ends; made by the first who waits. */
  waiters: (() => void)[] | null = null;
  /** Whether the store knows that the handler of this suspect runs. */
  started = false;

  constructor(
    readonly key: string,
    readonly token: string,
    /** That failed before. */
    readonly attempts: number,
    /** Null where no lease of it ran out, or nobody is to be told. */
    readonly suspicion: Suspicion | null = null,
    /** That it is in; null where that is not known. */
    readonly store: IdempotencyStore | null = null,
  ) {}
}

/** A store's answer, with the claim itself where it is ours. */
export type ClaimResult = HeldClaim | Exclude<ClaimAnswer, { status: 'claimed' }>;

export interface ClaimsOptions {
  /** Of every claim; renewed every third of it while the claim is held. */
  readonly leaseMs: number;
  /** Makes tokens unique across processes. */
  readonly owner: string;
  readonly clock: Clock;
  readonly onStoreError: (operation: string, error: Error) => void;
  /** Whether suspects are told from others, where the store can. Default false. */
  readonly suspects?: boolean;
}

/**
 * The claims that this process holds for one consumer group.
 *
 * It asks the store (in one call for all that became ready together, unless the store answers in
 * process), renews what is held, and lets a second record of the same event wait for the first.
 * Errors of the store reach the caller as they are.
 */
export class Claims {
  readonly #held = new Map<string, HeldClaim>();
  readonly #claim: (request: ClaimRequest) => MaybePromise<ClaimAnswer | undefined>;
  readonly #complete: (completion: Completion) => MaybePromise<boolean | undefined>;
  readonly #release: (release: Release) => MaybePromise<unknown>;
  readonly #start: ((start: Start) => MaybePromise<boolean | undefined>) | null;
  #tokens = 0;
  #renewal: TimerHandle | null = null;

  constructor(
    private readonly store: IdempotencyStore,
    private readonly options: ClaimsOptions,
  ) {
    this.#start = options.suspects === true ? startOf(store) : null;
    if (store.inProcess) {
      this.#claim = (request) => first(store.claim([request]));
      this.#complete = (completion) => first(store.complete([completion]));
      this.#release = (release) => store.release([release]);
      return;
    }
    const claims = new CallCoalescer((batch: readonly ClaimRequest[]) => store.claim(batch));
    const completions = new CallCoalescer((batch: readonly Completion[]) => store.complete(batch));
    const releases = new CallCoalescer(async (batch: readonly Release[]) => {
      await store.release(batch);
      return batch;
    });
    this.#claim = (request) => claims.call(request);
    this.#complete = (completion) => completions.call(completion);
    this.#release = (release) => releases.call(release);
  }

  /** Names one claim. Where its answer was lost, asking again under the same token is asking once. */
  newToken(): string {
    return `${this.options.owner}:${String(this.#tokens++)}`;
  }

  /** @param retentionMs how long attempts and suspicion outlive a lease that runs out. */
  claim(key: string, level: number, token: string, retentionMs: number): MaybePromise<ClaimResult> {
    const { leaseMs } = this.options;
    const answer = this.#claim({ key, token, leaseMs, level, retentionMs });
    return isPromise(answer)
      ? answer.then((settled) => this.#answered(key, token, settled))
      : this.#answered(key, token, answer);
  }

  /** Has the store know that a suspect's handler is about to run; false when the claim is not ours any more. */
  async start(claim: HeldClaim, alone: boolean): Promise<boolean> {
    const { key, token } = claim;
    claim.started = (await this.#start?.({ key, token, alone })) === true;
    return claim.started;
  }

  /** Ends a claim; false when somebody else had taken it over: then their outcome counts. */
  complete(
    claim: HeldClaim,
    state: CompletedState,
    level: number,
    retentionMs: number,
  ): MaybePromise<boolean> {
    const { key, token } = claim;
    const done = this.#complete({ key, token, state, level, retentionMs });
    if (isPromise(done)) {
      return done.then((ours) => {
        this.#forget(claim);
        return ours === true;
      });
    }
    this.#forget(claim);
    return done === true;
  }

  /** Gives a claim back with its failed attempts. A store that fails is reported: the lease will end it. */
  async release(claim: HeldClaim, attempts: number, retentionMs: number): Promise<void> {
    const { key, token } = claim;
    try {
      await this.#release({ key, token, attempts, retentionMs });
    } catch (error) {
      this.options.onStoreError('release', toError(error));
    } finally {
      this.#forget(claim);
    }
  }

  holds(key: string): boolean {
    return this.#held.has(key);
  }

  /** Leaves a claim to its lease: it is renewed no more, and nobody here waits for it any longer. */
  drop(claim: HeldClaim): void {
    this.#forget(claim);
  }

  /**
   * Calls `fn` when the claim of that key ends in this process; answers how to unsubscribe. Where no
   * claim of it is held here it is never called.
   */
  onEnd(key: string, fn: () => void): () => void {
    const held = this.#held.get(key);
    if (held === undefined) return () => undefined;
    const waiters = (held.waiters ??= []);
    waiters.push(fn);
    return () => {
      const at = waiters.indexOf(fn);
      if (at >= 0) waiters.splice(at, 1);
    };
  }

  /** Stops renewing: what is still held is left to its lease. */
  close(): void {
    if (this.#renewal !== null) this.options.clock.clearTimeout(this.#renewal);
    this.#renewal = null;
    this.#held.clear();
  }

  #answered(key: string, token: string, answer: ClaimAnswer | undefined): ClaimResult {
    if (answer === undefined)
      throw new Error(`the store "${this.store.name}" left a claim unanswered`);
    if (answer.status !== 'claimed') return answer;
    const suspicion = this.#start === null ? null : (answer.suspicion ?? null);
    const claim = new HeldClaim(key, token, answer.attempts, suspicion, this.store);
    this.#held.set(key, claim);
    this.#renewal ??= this.options.clock.setTimeout(() => {
      void this.#renew();
    }, this.options.leaseMs / 3);
    return claim;
  }

  #forget(claim: HeldClaim): void {
    if (this.#held.get(claim.key) === claim) this.#held.delete(claim.key);
    if (claim.waiters === null) return;
    // A copy: whoever is woken takes itself off the list.
    for (const waiter of [...claim.waiters]) waiter();
  }

  async #renew(): Promise<void> {
    const { leaseMs, clock, onStoreError } = this.options;
    const renewals = [...this.#held.values()].map(({ key, token }) => ({
      key,
      token,
      leaseMs,
    }));
    try {
      // A lease that is not ours any more needs no care here: its completion is refused by its token.
      if (renewals.length > 0) await this.store.renew(renewals);
    } catch (error) {
      onStoreError('renew', toError(error));
    }
    if (this.#renewal === null) return;
    this.#renewal =
      this.#held.size === 0
        ? null
        : clock.setTimeout(() => {
            void this.#renew();
          }, leaseMs / 3);
  }
}

function startOf(store: IdempotencyStore): ((start: Start) => Promise<boolean | undefined>) | null {
  if (store.start === undefined) return null;
  const start = store.start.bind(store);
  const starts = new CallCoalescer((batch: readonly Start[]) => start(batch));
  return (one) => starts.call(one);
}

function first<T>(answers: MaybePromise<readonly T[]>): MaybePromise<T | undefined> {
  return isPromise(answers) ? answers.then(([answer]) => answer) : answers[0];
}
