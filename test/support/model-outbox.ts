import type { Clock } from '../../lib/contracts/clock.js';
import { DriverError, StoreUnavailableError } from '../../lib/kafka-events.errors.js';
import type { ProducerDriver } from '../../lib/kafka/driver.js';
import type { OutRecord } from '../../lib/kafka/records.js';
import type { OutboxRecord, OutboxStore, PendingRecord } from '../../lib/outbox/outbox-store.js';

const HOLD_MS = 30_000;

interface Row extends PendingRecord {
  retryAt: number;
  error: string | null;
}

/** The port read aloud: a table in memory that several relays share, with calls that fail when told to. */
export class ModelOutbox implements OutboxStore {
  readonly name = 'model';
  /** Calls that fail from here on; half of them after they have done their work. */
  failing = 0;
  #rows: Row[] = [];
  #ids = 0;
  #lease = { owner: '', until: -Infinity };

  constructor(private readonly clock: Pick<Clock, 'now'>) {}

  /** Why records were held. */
  get errors(): string[] {
    return this.#rows.flatMap(({ error }) => error ?? []);
  }

  get size(): number {
    return this.#rows.length;
  }

  add(): Promise<void> {
    return Promise.reject(new Error('there is no transaction here'));
  }

  store(records: readonly OutboxRecord[]): Promise<void> {
    for (const record of records) {
      this.#rows.push({ ...record, id: String(++this.#ids), retryAt: -Infinity, error: null });
    }
    return Promise.resolve();
  }

  lead(owner: string, leaseMs: number): Promise<boolean> {
    return this.#call(() => {
      const now = this.clock.now();
      if (this.#lease.owner !== owner && this.#lease.until > now) return false;
      this.#lease = { owner, until: now + leaseMs };
      return true;
    });
  }

  resign(owner: string): Promise<void> {
    return this.#call(() => {
      if (this.#lease.owner === owner) this.#lease = { owner: '', until: -Infinity };
    });
  }

  next(owner: string, limit: number, except: readonly string[]): Promise<readonly PendingRecord[]> {
    return this.#call(() => {
      const now = this.clock.now();
      if (this.#lease.owner !== owner || this.#lease.until <= now) return [];
      const held = new Set<string>();
      const free = this.#rows.filter((row) => {
        const key = `${row.topic} ${row.key.toString()}`;
        if (row.retryAt > now) held.add(key);
        return !held.has(key) && !except.includes(row.topic);
      });
      return free.slice(0, limit);
    });
  }

  remove(ids: readonly string[]): Promise<void> {
    return this.#call(() => {
      this.#rows = this.#rows.filter(({ id }) => !ids.includes(id));
    });
  }

  hold(id: string, error: string): Promise<void> {
    return this.#call(() => {
      const row = this.#rows.find((each) => each.id === id);
      if (row !== undefined) Object.assign(row, { error, retryAt: this.clock.now() + HOLD_MS });
    });
  }

  stats() {
    return this.#call(() => ({ pending: this.#rows.length, oldestAgeMs: null, held: 0 }));
  }

  pendingFor(): Promise<boolean> {
    return Promise.resolve(this.#rows.length > 0);
  }

  held() {
    return Promise.resolve([]);
  }

  discard(): Promise<number> {
    return Promise.resolve(0);
  }

  async #call<T>(work: () => T): Promise<T> {
    await Promise.resolve();
    if (this.failing === 0) return work();
    this.failing--;
    if (this.failing % 2 === 0) work();
    throw new StoreUnavailableError('the store is away');
  }
}

/** How the broker treats a request: loses it, stores it and is not heard, or says nothing for ever. */
export type ModelFault = 'lost' | 'unheard' | 'silent';

/**
 * A broker that keeps the order in which it stored events, refuses some, and fails when told to. Each key is a
 * partition of its own: of one request, what a partition gets is stored whole or not at all.
 */
export class ModelBroker {
  /** Event ids as they came, copies included. */
  readonly log: string[] = [];
  readonly refused = new Set<string>();
  readonly faults: ModelFault[] = [];

  readonly producer = (): ProducerDriver => ({
    send: async (_topic, records) => {
      await Promise.resolve();
      const fault = this.faults.shift();
      if (fault === 'lost') throw new DriverError('retryable', 'it did not arrive');
      const isRefused = this.#store(records);
      if (fault === 'unheard') throw new DriverError('retryable', 'the answer was lost');
      if (fault === 'silent') return new Promise<never>(() => undefined);
      if (isRefused) throw new DriverError('too-large', 'one of them is too large');
      return records.map(() => ({ partition: 0, offset: null }));
    },
    close: () => Promise.resolve(),
  });

  /** Whether one of them was refused. */
  #store(records: readonly OutRecord[]): boolean {
    const refused = records.filter((record) => this.refused.has(idOf(record)));
    const closed = refused.map(({ key }) => key?.toString());
    const stored = records.filter(({ key }) => !closed.includes(key?.toString()));
    this.log.push(...stored.map(idOf));
    return refused.length > 0;
  }
}

function idOf({ value }: OutRecord): string {
  return value?.toString() ?? '';
}
