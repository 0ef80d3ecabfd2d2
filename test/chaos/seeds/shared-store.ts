import type {
  ClaimAnswer,
  ClaimRequest,
  Completion,
  IdempotencyStore,
  Release,
  Renewal,
  Start,
} from '../../../lib/idempotency/idempotency-store.js';
import type { Clock } from '../../../lib/contracts/clock.js';
import { NaiveStore } from '../../support/naive-store.js';
import type { HandlerProcess } from './handlers.js';
import type { Ledger } from './ledger.js';
import type { StoreCall } from './moves.js';

const TRAVEL_MS = 2;

interface Failing {
  readonly call: StoreCall;
  /** Whether the store does what it was asked before the answer is lost. */
  readonly done: boolean;
  times: number;
}

/** The store that all members share: it outlives them, and can be away or lose its answers. */
export class SharedStore {
  readonly #entries: NaiveStore;
  #failing: Failing[] = [];
  #awayUntil = 0;

  constructor(
    private readonly clock: Clock,
    private readonly ledger: Ledger,
  ) {
    this.#entries = new NaiveStore(clock);
  }

  client(member: HandlerProcess): IdempotencyStore {
    return new StoreClient(this, member);
  }

  beAway(ms: number): void {
    this.#awayUntil = this.clock.now() + ms;
  }

  failNext(failing: Failing): void {
    this.#failing.push({ ...failing });
  }

  calm(): void {
    this.#failing = [];
    this.#awayUntil = 0;
  }

  /** @internal What one call does here; it throws where its answer does not come. */
  perform<T>(call: StoreCall | 'renew', act: (entries: NaiveStore) => T): T {
    if (this.clock.now() < this.#awayUntil) throw new Error('the store is away');
    const failing = this.#failing.find((each) => each.call === call && each.times > 0);
    if (failing === undefined) return act(this.#entries);
    failing.times--;
    if (failing.done) act(this.#entries);
    throw new Error(`the answer to ${call} is lost`);
  }

  /** @internal */
  complete(entries: NaiveStore, completions: readonly Completion[]) {
    const answers = entries.complete(completions);
    completions.forEach(({ key, state }, i) => {
      const parts = key.split('\0');
      if (answers[i] === true) this.ledger.completed(parts[1] ?? '', parts.at(-1) ?? '', state);
    });
    return answers;
  }
}

class StoreClient implements IdempotencyStore {
  readonly name = 'shared';
  readonly inProcess = false;

  constructor(
    private readonly store: SharedStore,
    private readonly user: HandlerProcess,
  ) {}

  async claim(requests: readonly ClaimRequest[]): Promise<readonly ClaimAnswer[]> {
    await this.user.reach('before the claim');
    const answers = await this.#call('claim', (entries) => entries.claim(requests));
    await this.user.reach('after the claim');
    return answers;
  }

  async complete(completions: readonly Completion[]): Promise<readonly boolean[]> {
    await this.user.reach('before complete');
    const answers = await this.#call('complete', (entries) =>
      this.store.complete(entries, completions),
    );
    await this.user.reach('after complete');
    return answers;
  }

  async release(releases: readonly Release[]): Promise<void> {
    await this.#call('release', (entries) => {
      entries.release(releases);
    });
  }

  async start(starts: readonly Start[]): Promise<readonly boolean[]> {
    await this.user.reach('before the start');
    const answers = await this.#call('start', (entries) => entries.start(starts));
    await this.user.reach('after the start');
    return answers;
  }

  renew(renewals: readonly Renewal[]): Promise<readonly boolean[]> {
    return this.#call('renew', (entries) => entries.renew(renewals));
  }

  /** What has been sent is done, although the answer may find nobody. */
  async #call<T>(call: StoreCall | 'renew', act: (entries: NaiveStore) => T): Promise<T> {
    await this.user.sleep(TRAVEL_MS * Math.random());
    const outcome = outcomeOf(() => this.store.perform(call, act));
    await this.user.sleep(TRAVEL_MS * Math.random());
    return outcome();
  }
}

/** Does it now, and tells later how it went. */
function outcomeOf<T>(act: () => T): () => T {
  try {
    const result = act();
    return () => result;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
