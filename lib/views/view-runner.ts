import { Alarm } from '../contracts/alarm.js';
import { withinMs } from '../contracts/within.js';
import { redacted } from '../failure/redact.js';
import { toError } from '../kafka-events.errors.js';
import type { ViewHealth } from '../observability/health-report.js';
import type { ViewDefinition } from './view-definition.js';
import { ViewGenerations, type GenerationSurroundings } from './view-generations.js';
import type { ViewPosition } from './view-store.js';
import { swapIn } from './view-swap.js';
import { ViewTroubles } from './view-troubles.js';
import { ViewWaits } from './view-waits.js';

/** How often the log's end is looked at. */
const LOOK_MS = 1_000;
/** How often the store is asked for generations: at leisure, while one is built, while somebody waits. */
const [IDLE_MS, BUILDING_MS, WAITED_FOR_MS] = [1_000, 200, 25];
/** Before a round that has failed is tried again. */
const AGAIN_MS = 1_000;
const SWEEP_MS = 10_000;
/** A version of a view that nobody has run for so long is removed. */
const UNUSED_MS = 10 * 60_000;
/** How long a round under way is waited for at the end; what it still does, any other process could have done. */
const STOP_MS = 2_000;

/** What the runners of a process share. */
export interface RunnerSurroundings extends GenerationSurroundings {
  /** Resolves once the store is what it should be. */
  readonly verified: () => Promise<void>;
  readonly redact: (text: string) => string;
}

/**
 * Keeps one view: in rounds, it compares the generations in the store with the groups that this process is in,
 * joins and leaves, looks how far they are, and swaps in what is built.
 *
 * Whatever a round decides is in the store before it takes effect, and any process may do it: so one that
 * dies leaves nothing undone.
 */
export class ViewRunner {
  readonly generations: ViewGenerations;
  readonly waits = new ViewWaits(() => {
    this.wake();
  });
  readonly #troubles: ViewTroubles;
  readonly #alarm: Alarm;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #sweptAt = Number.NEGATIVE_INFINITY;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(
    readonly view: ViewDefinition,
    private readonly around: RunnerSurroundings,
  ) {
    this.#alarm = new Alarm(around.clock);
    this.#troubles = new ViewTroubles((error) => {
      // What ends while everything does is no trouble.
      if (!this.#stopped) around.signals.emit('viewFailed', { ...this.#name(), error });
    });
    this.generations = new ViewGenerations(view, around, this.#troubles, () => {
      this.waits.moved();
    });
  }

  get stopped(): boolean {
    return this.#stopped;
  }
  /** For people. */
  get whyNotReady(): string {
    const { building } = this.generations;
    const problem = this.#problem();
    if (problem !== null) return problem;
    if (!this.around.consumes && building === null) {
      return 'this process does not consume (consume: false), and nobody has built it elsewhere';
    }
    const left = building?.progress.recordsBehind ?? null;
    return left === null
      ? 'it waits for its store and for a look at the log'
      : `it is being built, ${String(left)} record(s) to go`;
  }

  /**
   * Joins the groups of what there is; resolves at their first assignments.
   *
   * @throws what kept it from doing so; `keepOn` goes on all the same.
   */
  async start(): Promise<void> {
    await this.#try();
    await this.generations.joined();
    const { first } = this.#troubles;
    if (first !== null) throw first;
  }

  /** Repeats rounds until it is stopped. */
  keepOn(): void {
    this.#running = this.#rounds();
  }

  /** Ends all waits. Never rejects. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.wake();
    this.waits.end();
    await withinMs(this.#running, STOP_MS, this.around.clock);
  }

  health(): ViewHealth {
    const { live, building, all } = this.generations;
    const progress = (live ?? building)?.progress ?? null;
    const reachedAt = live?.progress.reachedAt ?? null;
    return {
      ...this.#name(),
      state: live === null ? 'building' : building === null ? 'live' : 'rebuilding',
      groupIds: all.map(({ groupId }) => groupId),
      recordsBehind: progress?.recordsBehind ?? null,
      ageMs: reachedAt === null ? null : Math.max(0, this.around.clock.now() - reachedAt),
      problem: this.#problem(),
    };
  }

  /** Begins the next round at once. */
  wake(): void {
    this.#alarm.ring();
  }

  /** Looks at the log now, and answers where it ends. @throws DriverError when the broker does not answer. */
  async look(): Promise<readonly ViewPosition[]> {
    const { live, building, topics } = this.generations;
    const { groupId } = live ?? building ?? this.around;
    return (await this.around.log.look(groupId, topics)).ends;
  }

  async #rounds(): Promise<void> {
    while (!this.#stopped) {
      await this.#try();
      await this.#alarm.wait(this.#troubles.has('round') ? AGAIN_MS : this.#periodMs());
    }
  }

  async #try(): Promise<void> {
    try {
      await this.#round();
      this.#troubles.note('round', null);
    } catch (thrown) {
      this.#troubles.note('round', toError(thrown));
    }
  }

  async #round(): Promise<void> {
    const { clock, store, verified } = this.around;
    const { generations } = this;
    await verified();
    await generations.reconcile();
    const now = clock.now();
    // Before the look: a version is in use, too, while the broker is away.
    await this.#sweep(now);
    if (now - this.#lookedAt >= LOOK_MS) {
      this.#lookedAt = now;
      await generations.look();
    }
    if (await swapIn(generations, { store, clock, isStopped: () => this.#stopped })) {
      await generations.reconcile();
    }
  }

  /** Notes that this version is in use, and removes some of what is not. */
  async #sweep(now: number): Promise<void> {
    if (now - this.#sweptAt < SWEEP_MS) return;
    const hasMore = await this.around.store.sweep(this.generations.ref, UNUSED_MS);
    if (!hasMore) this.#sweptAt = now;
  }

  #periodMs(): number {
    if (this.waits.areHurried) return WAITED_FOR_MS;
    return this.generations.building === null ? IDLE_MS : BUILDING_MS;
  }

  #problem(): string | null {
    const { first } = this.#troubles;
    return redacted(first, this.around.redact);
  }

  #name(): { readonly view: string; readonly version: number } {
    return { view: this.view.name, version: this.view.version };
  }
}
