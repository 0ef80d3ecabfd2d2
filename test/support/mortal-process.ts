import type { BoundHandler } from '../../lib/consuming/event-handler.js';
import { Quarantine } from '../../lib/consuming/quarantine.js';
import type { IdempotencyStore } from '../../lib/idempotency/idempotency-store.js';
import type { ManualClock } from '../../lib/testing/manual-clock.js';
import { startEngine, type DeadLetterRow, type Engine, type EngineOptions } from './engine.js';
import { settle } from './engine-events.js';
import type { ModelPartition } from './model-kafka.js';

export interface ProcessOptions extends Omit<EngineOptions, 'store' | 'clock' | 'quarantine'> {
  /** Shared by all its lives, and by other processes. */
  readonly store: IdempotencyStore;
  readonly clock: ManualClock;
}

/** Longer than a lease of the engines under test. */
const RESTART_MS = 31_000;

const MAX_ROUNDS = 2_000;

const forever = new Promise<never>(() => undefined);

/**
 * A process with one consumer group in it that can die at any moment, and be started again: whatever it
 * was about to say, nobody hears.
 */
export class MortalProcess {
  readonly deadLetters: DeadLetterRow[] = [];
  deaths = 0;
  #life: Life | null = null;

  constructor(
    private readonly partitions: readonly ModelPartition[],
    private readonly handlers: readonly BoundHandler[],
    private readonly options: ProcessOptions,
  ) {}

  get alive(): boolean {
    return this.#life !== null;
  }

  get engine(): Engine {
    if (this.#life === null) throw new Error('the process is dead');
    return this.#life.engine;
  }

  /** Starts it when the leases of its last life are over, and fetches all there is. */
  async boot(): Promise<void> {
    await this.options.clock.advanceAsync(RESTART_MS);
    const { store, ...options } = this.options;
    const mortal = new MortalStore(store);
    const engine = await startEngine(this.partitions, this.handlers, {
      ...options,
      store: mortal,
      quarantine: new Quarantine(),
      onDeadLetter: async (topic, record) => {
        if (mortal.cut) return forever;
        await options.onDeadLetter?.(topic, record);
        this.deadLetters.push({ topic, record });
      },
    });
    this.#life = { engine, store: mortal };
    for (const partition of this.partitions) engine.kafka.fetch(partition);
  }

  /** Dies at once; answers a promise that never settles, for whoever is at work. */
  die(): Promise<never> {
    if (this.#life === null) return forever;
    this.deaths++;
    this.#life.store.cut = true;
    const { kafka, consumer } = this.#life.engine;
    kafka.commit = (items) => Promise.resolve(items);
    // Only to have it run no timers any more.
    void consumer.stop(0, 0);
    this.#life = null;
    return forever;
  }

  /** Boots it again whenever it has died, until the condition holds. */
  async keepAlive(until: () => boolean, maxDeaths = 50): Promise<void> {
    try {
      await this.#keepAlive(until, maxDeaths);
    } finally {
      // Lets a life that has just ended stop.
      await this.options.clock.advanceAsync(1);
    }
  }

  async #keepAlive(until: () => boolean, maxDeaths: number): Promise<void> {
    for (let rounds = 0; !until(); rounds++) {
      if (rounds > MAX_ROUNDS) throw new Error('it lives, and comes to no end');
      if (this.deaths > maxDeaths) throw new Error(`died ${String(this.deaths)} times`);
      if (!this.alive) await this.boot();
      await this.options.clock.advanceAsync(100);
      await settle();
    }
  }
}

interface Life {
  readonly engine: Engine;
  readonly store: MortalStore;
}

/** A store as one life of a process has it: cut off at its death. */
class MortalStore implements IdempotencyStore {
  readonly inProcess = false;
  cut = false;
  readonly start?: NonNullable<IdempotencyStore['start']>;
  readonly refresh?: NonNullable<IdempotencyStore['refresh']>;

  constructor(private readonly shared: IdempotencyStore) {
    const { start, refresh } = shared;
    if (refresh !== undefined) {
      this.refresh = (refreshes) => this.#call(() => refresh.call(shared, refreshes));
    }
    if (start !== undefined) {
      this.start = (starts) => this.#call(() => start.call(shared, starts));
    }
  }

  get name(): string {
    return this.shared.name;
  }
  claim(...args: Parameters<IdempotencyStore['claim']>) {
    return this.#call(() => this.shared.claim(...args));
  }
  complete(...args: Parameters<IdempotencyStore['complete']>) {
    return this.#call(() => this.shared.complete(...args));
  }
  release(...args: Parameters<IdempotencyStore['release']>) {
    return this.#call(() => this.shared.release(...args));
  }
  renew(...args: Parameters<IdempotencyStore['renew']>) {
    return this.#call(() => this.shared.renew(...args));
  }

  async #call<T>(ask: () => T): Promise<Awaited<T>> {
    await Promise.resolve();
    const isCut = (): boolean => this.cut;
    if (isCut()) return forever;
    const answer = await ask();
    return isCut() ? forever : answer;
  }
}
