import { systemClock, type Clock } from '../contracts/clock.js';
import { ExpiryQueues, dequeue, type Expiring } from './expiry-queues.js';
import type {
  ClaimAnswer,
  ClaimRequest,
  CompletedState,
  Completion,
  IdempotencyStore,
  Refresh,
  Release,
  Renewal,
} from './idempotency-store.js';

export interface MemoryIdempotencyStoreOptions {
  /** Entries remembered at most; running claims come on top of a full store. Default 1,000,000. */
  readonly maxEntries?: number;
  /** @internal */
  readonly clock?: Clock;
}

const DEFAULT_MAX_ENTRIES = 1_000_000;

/** A Map holds 2^24 entries and not one more; the rest is for running claims. */
const MAX_ENTRIES = 16_000_000;

/** Entries of one duration forgotten per claim: more than a claim adds, too few to be felt as a pause. */
const FORGOTTEN_PER_CLAIM = 4;

/** One key, claimed, free or closed. An entry waits in exactly one queue for the moment it is forgotten. */
interface Entry extends Expiring<Entry> {
  readonly key: string;
  state: 'claimed' | 'free' | CompletedState;
  token: string;
  /** Of a claim. */
  leaseUntil: number;
  /** How long a claim outlives its lease, so that its attempts do. */
  lapseMs: number;
  attempts: number;
  /** Of the latest claim or mark. */
  level: number;
}

const FIRST_CLAIM: ClaimAnswer = Object.freeze({ status: 'claimed', attempts: 0 });

const CLOSED: Readonly<Record<CompletedState, ClaimAnswer>> = Object.freeze({
  done: Object.freeze({ status: 'done' }),
  parked: Object.freeze({ status: 'parked' }),
  dead: Object.freeze({ status: 'dead' }),
});

/**
 * The idempotency store of a service that runs as a single instance: claims and marks live in this
 * process, no other process sees them, and a restart forgets them.
 *
 * Every call answers at once, and no timer runs: what is due is forgotten while claiming, a little
 * each time. The store never holds more than `maxEntries` plus what is running; when it is full,
 * the mark nearest to its end makes room, and `onEvict` tells.
 */
export class MemoryIdempotencyStore implements IdempotencyStore {
  readonly name = 'memory';
  readonly inProcess = true;

  readonly #entries = new Map<string, Entry>();
  readonly #claims = new ExpiryQueues<Entry>();
  readonly #marks = new ExpiryQueues<Entry>();
  readonly #maxEntries: number;
  readonly #evictionListeners: ((evicted: number) => void)[] = [];
  readonly #clock: Clock;
  readonly #forget = (entry: Entry): void => {
    this.#entries.delete(entry.key);
  };

  /** @throws RangeError when `maxEntries` is not an integer from 1 to 16,000,000. */
  constructor(options: MemoryIdempotencyStoreOptions = {}) {
    const { maxEntries = DEFAULT_MAX_ENTRIES, clock = systemClock } = options;
    if (!Number.isInteger(maxEntries) || maxEntries < 1 || maxEntries > MAX_ENTRIES) {
      throw new RangeError(`maxEntries must be an integer from 1 to ${MAX_ENTRIES}`);
    }
    this.#maxEntries = maxEntries;
    this.#clock = clock;
  }

  /** Entries held now: claims, marks, and what is due but not yet forgotten. */
  get size(): number {
    return this.#entries.size;
  }

  onEvict(listener: (evicted: number) => void): void {
    this.#evictionListeners.push(listener);
  }

  claim(requests: readonly ClaimRequest[]): readonly ClaimAnswer[] {
    const now = this.#clock.now();
    const answers = requests.map((request) => this.#claimOne(request, now));
    this.#makeRoom(now);
    return answers;
  }

  complete(completions: readonly Completion[]): readonly boolean[] {
    const now = this.#clock.now();
    const answers = completions.map((completion) => this.#completeOne(completion, now));
    this.#makeRoom(now);
    return answers;
  }

  release(releases: readonly Release[]): void {
    const now = this.#clock.now();
    for (const release of releases) this.#releaseOne(release, now);
  }

  renew(renewals: readonly Renewal[]): readonly boolean[] {
    const now = this.#clock.now();
    return renewals.map(({ key, token, leaseMs }) => {
      const entry = this.#find(key, now);
      if (entry?.state !== 'claimed' || entry.token !== token) return false;
      this.#lease(entry, now, leaseMs);
      return true;
    });
  }

  refresh(refreshes: readonly Refresh[]): void {
    const now = this.#clock.now();
    for (const { key, retentionMs } of refreshes) {
      const entry = this.#find(key, now);
      if (entry === undefined || !isClosed(entry.state)) continue;
      if (entry.dueAt < now + retentionMs) this.#keep(entry, now, retentionMs);
    }
  }

  #claimOne(request: ClaimRequest, now: number): ClaimAnswer {
    const { key, token, leaseMs, level, retentionMs } = request;
    const known = this.#find(key, now);
    if (known !== undefined) {
      const refusal = refuse(known, token, level, now);
      if (refusal !== null) return refusal;
    }
    const entry = known ?? this.#create(key);
    if (isClosed(entry.state)) entry.attempts = 0;
    entry.lapseMs = retentionMs;
    entry.state = 'claimed';
    entry.token = token;
    entry.level = level;
    this.#lease(entry, now, leaseMs);
    return entry.attempts === 0 ? FIRST_CLAIM : { status: 'claimed', attempts: entry.attempts };
  }

  #completeOne({ key, token, state, level, retentionMs }: Completion, now: number): boolean {
    const known = this.#find(key, now);
    if (known !== undefined && known.state !== 'free' && known.token !== token) return false;
    const entry = known ?? this.#create(key);
    entry.state = state;
    entry.token = token;
    entry.level = level;
    this.#keep(entry, now, retentionMs);
    return true;
  }

  #releaseOne({ key, token, attempts, retentionMs }: Release, now: number): void {
    const entry = this.#find(key, now);
    if (entry?.state !== 'claimed' || entry.token !== token) return;
    entry.state = 'free';
    entry.attempts = attempts;
    entry.lapseMs = retentionMs;
    this.#keep(entry, now, retentionMs);
  }

  #find(key: string, now: number): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.dueAt > now) return entry;
    dequeue(entry);
    this.#forget(entry);
    return undefined;
  }

  #create(key: string): Entry {
    const entry: Entry = {
      key,
      state: 'free',
      token: '',
      leaseUntil: 0,
      lapseMs: 0,
      attempts: 0,
      level: 0,
      dueAt: 0,
      queue: null,
      before: null,
      after: null,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  /** Starts or extends a claim's lease. */
  #lease(entry: Entry, now: number, leaseMs: number): void {
    dequeue(entry);
    entry.leaseUntil = now + leaseMs;
    this.#claims.add(entry, now, leaseMs + Math.max(leaseMs, entry.lapseMs));
  }

  /** Keeps a free or closed entry for its retention. */
  #keep(entry: Entry, now: number, retentionMs: number): void {
    dequeue(entry);
    this.#marks.add(entry, now, retentionMs);
  }

  #makeRoom(now: number): void {
    this.#claims.takeDue(now, FORGOTTEN_PER_CLAIM, this.#forget);
    this.#marks.takeDue(now, FORGOTTEN_PER_CLAIM, this.#forget);
    let evicted = 0;
    while (this.#entries.size > this.#maxEntries) {
      const mark = this.#marks.first();
      if (mark === null) break;
      dequeue(mark);
      this.#forget(mark);
      if (isClosed(mark.state) && mark.dueAt > now) evicted++;
    }
    if (evicted === 0) return;
    for (const listener of this.#evictionListeners) listener(evicted);
  }
}

/** What a claim of a known key is answered with instead of being granted; null to grant it. */
function refuse(known: Entry, token: string, level: number, now: number): ClaimAnswer | null {
  const { state } = known;
  if (!isClosed(state)) {
    const leaseMs = known.leaseUntil - now;
    const taken = state === 'claimed' && known.token !== token && leaseMs > 0;
    if (taken) return { status: 'in-progress', leaseMs };
    return level < known.level ? CLOSED.parked : null;
  }
  return state !== 'done' && level > known.level ? null : CLOSED[state];
}

function isClosed(state: Entry['state']): state is CompletedState {
  return state !== 'claimed' && state !== 'free';
}
