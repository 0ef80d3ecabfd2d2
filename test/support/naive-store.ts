import type { Clock } from '../../lib/contracts/clock.js';
import type {
  ClaimAnswer,
  ClaimRequest,
  Completion,
  IdempotencyStore,
  Refresh,
  Release,
  Renewal,
  Start,
} from '../../lib/idempotency/idempotency-store.js';

interface Entry {
  state: 'claimed' | 'free' | 'done' | 'parked' | 'dead';
  token: string;
  level: number;
  attempts: number;
  suspicion: { crashes: number; crashesAlone: number; run: 'none' | 'together' | 'alone' } | null;
  leaseUntil: number;
  retentionMs: number;
  forgetAt: number;
}

/**
 * The port's state table read aloud: no queues, no limits, no thought of speed. It stands for what a
 * shared store knows after the process that used it has died.
 */
export class NaiveStore implements IdempotencyStore {
  readonly name = 'naive';
  readonly inProcess = false;
  readonly #entries = new Map<string, Entry>();

  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    /** Whether it tells suspects, as stores do that outlive the process. */
    private readonly options = { suspects: true },
  ) {}

  get size(): number {
    this.#forgetDue();
    return this.#entries.size;
  }

  claim(requests: readonly ClaimRequest[]): readonly ClaimAnswer[] {
    return requests.map((request) => this.#claim(request));
  }

  complete(completions: readonly Completion[]): readonly boolean[] {
    return completions.map(({ key, token, state, level, retentionMs }) => {
      const known = this.#find(key);
      if (known !== undefined && known.state !== 'free' && known.token !== token) return false;
      const forgetAt = this.clock.now() + retentionMs;
      const none = { attempts: 0, suspicion: null, leaseUntil: 0, retentionMs: 0 };
      this.#entries.set(key, { ...none, state, token, level, forgetAt });
      return true;
    });
  }

  release(releases: readonly Release[]): void {
    for (const { key, token, attempts, retentionMs } of releases) {
      const held = this.#held(key, token);
      if (held === undefined) continue;
      if (held.suspicion?.run !== 'none') held.suspicion = null;
      held.state = 'free';
      held.attempts = attempts;
      held.forgetAt = this.clock.now() + retentionMs;
    }
  }

  renew(renewals: readonly Renewal[]): readonly boolean[] {
    return renewals.map(({ key, token, leaseMs }) => {
      const held = this.#held(key, token);
      if (held !== undefined) this.#lease(held, leaseMs);
      return held !== undefined;
    });
  }

  start(starts: readonly Start[]): readonly boolean[] {
    return starts.map(({ key, token, alone }) => {
      const held = this.#held(key, token);
      if (held === undefined) return false;
      const run = alone ? 'alone' : 'together';
      held.suspicion = { crashes: 0, crashesAlone: 0, ...held.suspicion, run };
      return true;
    });
  }

  refresh(refreshes: readonly Refresh[]): void {
    for (const { key, retentionMs } of refreshes) {
      const known = this.#find(key);
      if (known === undefined || known.state === 'claimed' || known.state === 'free') continue;
      known.forgetAt = Math.max(known.forgetAt, this.clock.now() + retentionMs);
    }
  }

  #claim({ key, token, leaseMs, level, retentionMs }: ClaimRequest): ClaimAnswer {
    const now = this.clock.now();
    const known = this.#find(key);
    if (known?.state === 'claimed' && known.token !== token && known.leaseUntil > now) {
      return { status: 'in-progress', leaseMs: known.leaseUntil - now };
    }
    if (known?.state === 'done') return { status: 'done' };
    if ((known?.state === 'parked' || known?.state === 'dead') && level <= known.level) {
      return { status: known.state };
    }
    if (known !== undefined && level < known.level) return { status: 'parked' };
    const failed = known?.state === 'free' || known?.state === 'claimed' ? known : null;
    const attempts = failed?.attempts ?? 0;
    const lapsed = failed?.state === 'claimed' && failed.token !== token;
    const suspicion = lapsed ? this.#suspect(failed) : (failed?.suspicion ?? null);
    const entry: Entry = {
      ...{ state: 'claimed', token, level, attempts, suspicion, retentionMs },
      ...{ leaseUntil: 0, forgetAt: 0 },
    };
    this.#lease(entry, leaseMs);
    this.#entries.set(key, entry);
    if (suspicion === null) return { status: 'claimed', attempts };
    const { crashes, crashesAlone } = suspicion;
    return { status: 'claimed', attempts, suspicion: { crashes, crashesAlone } };
  }

  #suspect({ suspicion }: Entry): Entry['suspicion'] {
    if (!this.options.suspects) return null;
    const { crashes, crashesAlone, run } = suspicion ?? {
      crashes: 0,
      crashesAlone: 0,
      run: 'none',
    };
    return {
      crashes: crashes + (run === 'none' ? 0 : 1),
      crashesAlone: crashesAlone + (run === 'alone' ? 1 : 0),
      run: 'none',
    };
  }

  #lease(entry: Entry, leaseMs: number): void {
    entry.leaseUntil = this.clock.now() + leaseMs;
    entry.forgetAt = entry.leaseUntil + Math.max(leaseMs, entry.retentionMs);
  }

  #held(key: string, token: string): Entry | undefined {
    const known = this.#find(key);
    return known?.state === 'claimed' && known.token === token ? known : undefined;
  }

  #find(key: string): Entry | undefined {
    this.#forgetDue();
    return this.#entries.get(key);
  }

  #forgetDue(): void {
    const now = this.clock.now();
    for (const [key, { forgetAt }] of this.#entries) {
      if (forgetAt <= now) this.#entries.delete(key);
    }
  }
}
