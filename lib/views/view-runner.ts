import type { BoundHandler } from '../consuming/event-handler.js';
import type { JoinOptions } from '../consuming/event-consumers.js';
import type { HandlerSettings } from '../consuming/handler-options.js';
import type { Clock } from '../contracts/clock.js';
import { ShutdownError, toError } from '../kafka-events.errors.js';
import type { ViewHealth } from '../observability/health.js';
import type { SignalSink } from '../observability/observer.js';
import type { ViewDefinition } from './view-definition.js';
import { RunningGeneration } from './view-generation.js';
import type { ViewLog } from './view-log.js';
import { viewProjector } from './view-projector.js';
import type { Generation, ViewPosition, ViewRef, ViewStore } from './view-store.js';
import { swapIn } from './view-swap.js';

/** How often the log's end is looked at. */
const LOOK_MS = 1_000;
/** How often the store is asked for generations: at leisure, while one is built, while somebody waits. */
const [IDLE_MS, BUILDING_MS, WAITED_FOR_MS] = [1_000, 200, 25];
/** Before a group that could not be joined, or a store that was away, is tried again. */
const AGAIN_MS = 1_000;
const SWEEP_MS = 10_000;
/** A version of a view that nobody has run for so long is removed. */
const UNUSED_MS = 10 * 60_000;

/** What may be wrong: the latest round, the joining of a group, or a change of rows. */
type Trouble = 'round' | 'join' | 'change';

/** The consumer groups of this process. */
export interface ViewGroups {
  join(groupId: string, handlers: readonly BoundHandler[], options: JoinOptions): Promise<void>;
  leave(groupId: string): Promise<void>;
  /** How far this process has dealt with what it owns. */
  watermarks(groupId: string): readonly ViewPosition[];
}

/** What the runners of a process share. */
export interface RunnerSurroundings {
  readonly store: ViewStore;
  readonly log: ViewLog;
  readonly groups: ViewGroups;
  readonly signals: SignalSink;
  readonly clock: Clock;
  /** False: views are read here, and kept by others. */
  readonly consumes: boolean;
  readonly topicName: (topic: string) => string;
  /** The application's. */
  readonly groupId: string;
  /** Of the projector of a view. */
  readonly settingsOf: (view: ViewDefinition, groupId: string) => HandlerSettings;
  readonly newId: () => string;
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
  readonly ref: ViewRef;
  /** Physical names. */
  readonly topics: readonly string[];
  readonly #generations = new Map<string, RunningGeneration>();
  readonly #waiting = new Set<() => void>();
  #hurried = 0;
  #live: RunningGeneration | null = null;
  readonly #problems = new Map<Trouble, Error>();
  #lookedAt = Number.NEGATIVE_INFINITY;
  #sweptAt = Number.NEGATIVE_INFINITY;
  #stopped = false;
  #woken = false;
  #wake: (() => void) | null = null;
  #running: Promise<void> | null = null;

  constructor(
    readonly view: ViewDefinition,
    private readonly around: RunnerSurroundings,
  ) {
    const { groupId, topicName } = around;
    this.ref = { view: `${groupId}.${view.name}`, version: view.version };
    this.topics = [...new Set(view.on.map(({ contract }) => topicName(contract.topic)))];
  }

  /** The generation that is read; null when none is built. */
  get live(): RunningGeneration | null {
    return this.#live;
  }
  /** The generation that is being built, if any. */
  get building(): RunningGeneration | null {
    return [...this.#generations.values()].find(({ state }) => state === 'building') ?? null;
  }
  /** Why it is not kept, or not seen to; null when all is well. */
  get problem(): Error | null {
    const [first = null] = this.#problems.values();
    return first;
  }
  get stopped(): boolean {
    return this.#stopped;
  }
  /** For people. */
  get whyNotReady(): string {
    const { building } = this;
    const problem = this.#problemText();
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
   * Joins the groups of what there is, resolves at their first assignments, and goes on from there.
   *
   * @throws what kept the first round from doing so; `keepOn` goes on all the same.
   */
  async start(): Promise<void> {
    await this.#round();
    for (const { joining } of this.#generations.values()) await joining;
    const { problem } = this;
    if (problem !== null) throw problem;
  }

  /** Repeats rounds until it is stopped. */
  keepOn(): void {
    this.#running ??= this.#rounds();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.wake();
    for (const check of [...this.#waiting]) check();
    await this.#running;
  }

  health(): ViewHealth {
    const { building } = this;
    const progress = (this.#live ?? building)?.progress ?? null;
    const reachedAt = this.#live === null ? null : (progress?.reachedAt ?? null);
    return {
      ...this.#name(),
      state: this.#live === null ? 'building' : building === null ? 'live' : 'rebuilding',
      groupIds: [...this.#generations.values()].map(({ groupId }) => groupId),
      recordsBehind: progress?.recordsBehind ?? null,
      ageMs: reachedAt === null ? null : Math.max(0, this.around.clock.now() - reachedAt),
      problem: this.#problemText(),
    };
  }

  /** Begins the next round at once. */
  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  /** Looks at the log now, and answers where it ends. @throws DriverError when the broker does not answer. */
  async look(): Promise<readonly ViewPosition[]> {
    const { groupId } = this.#live ?? this.building ?? { groupId: this.around.groupId };
    return (await this.around.log.look(groupId, this.topics)).ends;
  }

  /**
   * Resolves when `isMet` answers true: it is asked whenever something has moved. Rejects with a ShutdownError
   * when the application stops first.
   *
   * @param isHurried whether to ask the store often meanwhile.
   * @param onEnd subscribes to what else ends the wait, with the error to reject with.
   */
  until(
    isMet: () => boolean,
    isHurried: boolean,
    onEnd: (reject: (error: Error) => void) => () => void = () => () => undefined,
  ): Promise<void> {
    if (isMet()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const end = (): void => {
        this.#waiting.delete(check);
        if (isHurried) this.#hurried--;
        unsubscribe();
      };
      const check = (): void => {
        if (this.#stopped) {
          end();
          reject(new ShutdownError());
        } else if (isMet()) {
          end();
          resolve();
        }
      };
      this.#waiting.add(check);
      if (isHurried) this.#hurried++;
      const unsubscribe = onEnd((error) => {
        end();
        reject(error);
      });
      this.wake();
      if (this.#stopped) check();
    });
  }

  async #rounds(): Promise<void> {
    while (!this.#stopped) {
      this.#woken = false;
      try {
        await this.#round();
        this.#answered('round', null);
      } catch (thrown) {
        this.#answered('round', toError(thrown));
      }
      await this.#sleep(this.#problems.has('round') ? AGAIN_MS : this.#periodMs());
    }
  }

  async #sleep(ms: number): Promise<void> {
    const { clock } = this.around;
    await new Promise<void>((resolve) => {
      if (this.#woken || this.#stopped) {
        resolve();
        return;
      }
      const timer = clock.setTimeout(resolve, ms);
      this.#wake = () => {
        clock.clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = null;
  }

  #periodMs(): number {
    if (this.#hurried > 0) return WAITED_FOR_MS;
    return this.building === null ? IDLE_MS : BUILDING_MS;
  }

  async #round(): Promise<void> {
    await this.around.verified();
    await this.#reconcile();
    const { clock, store } = this.around;
    const now = clock.now();
    if (now - this.#lookedAt >= LOOK_MS) {
      this.#lookedAt = now;
      await this.#lookAtAll();
    }
    const { building } = this;
    if (building !== null && (await swapIn(this.ref, building, this.#live, this.#swapSteps()))) {
      await this.#reconcile();
    }
    if (now - this.#sweptAt < SWEEP_MS) return;
    const hasMore = await store.sweep(this.ref, UNUSED_MS);
    if (!hasMore) this.#sweptAt = now;
  }

  #swapSteps() {
    const { store, clock } = this.around;
    return {
      store,
      clock,
      isStopped: () => this.#stopped,
      refresh: async () => {
        await this.#reconcile();
        await this.#lookAtAll();
      },
    };
  }

  /** Compares the store's generations with those known here. */
  async #reconcile(): Promise<void> {
    const { store, consumes, newId, groups } = this.around;
    let found = await store.generations(this.ref);
    if (found.length === 0 && consumes) {
      await store.begin(this.ref, newId());
      found = await store.generations(this.ref);
    }
    for (const each of found) this.#known(each).update(each);
    for (const generation of this.#generations.values()) {
      if (found.some(({ id }) => id === generation.id)) {
        if (consumes) this.#join(generation);
        generation.progress.learn(groups.watermarks(generation.groupId));
      } else {
        this.#drop(generation);
      }
    }
    const live = [...this.#generations.values()].find(({ state }) => state === 'live') ?? null;
    if (live !== null && live !== this.#live) this.#tell('viewLive', live);
    this.#live = live;
    this.#notify();
  }

  #known({ id, state }: Generation): RunningGeneration {
    const known = this.#generations.get(id);
    if (known !== undefined) return known;
    const { view, version } = this.ref;
    const generation = new RunningGeneration(id, `${view}.v${String(version)}.${id}`);
    this.#generations.set(id, generation);
    generation.progress.onMove(() => {
      this.#notify();
    });
    if (state === 'building') this.#tell('viewBuilding', generation);
    return generation;
  }

  #join(generation: RunningGeneration): void {
    const { store, clock, groups, settingsOf, topicName } = this.around;
    if (generation.joining !== null || generation.joinAt > clock.now()) return;
    const { id, groupId, progress } = generation;
    const projector = viewProjector(this.view, id, settingsOf(this.view, groupId), {
      store,
      clock,
      topicName,
      onChanged: ({ topic, partition }, offset) => {
        progress.learn([{ topic, partition, offset }]);
      },
      onStore: (error) => {
        this.#answered('change', error);
      },
    });
    generation.joining = groups.join(groupId, [projector], { commits: !store.inProcess }).then(
      () => {
        this.#answered('join', null);
      },
      (thrown: unknown) => {
        this.#answered('join', toError(thrown));
        generation.joining = null;
        generation.joinAt = clock.now() + AGAIN_MS;
      },
    );
  }

  #drop(generation: RunningGeneration): void {
    this.#generations.delete(generation.id);
    const { joining, groupId } = generation;
    if (joining !== null) void joining.then(() => this.around.groups.leave(groupId));
  }

  async #lookAtAll(): Promise<void> {
    for (const generation of this.#generations.values()) {
      const look = await this.around.log.look(generation.groupId, this.topics);
      const seen = new Set(look.ends.map(({ topic }) => topic));
      // What a topic holds that is away is not known.
      if (seen.size < this.topics.length) continue;
      for (const { topic, partition, offset: start } of generation.see(look)) {
        const { view, version } = this.#name();
        this.around.signals.emit('viewRecordsGone', { view, version, topic, partition, start });
      }
    }
  }

  #answered(trouble: Trouble, error: Error | null): void {
    if (error === null) {
      this.#problems.delete(trouble);
      return;
    }
    // What ends while everything does is no trouble.
    if (this.#stopped) return;
    this.#problems.set(trouble, error);
    this.around.signals.emit('viewFailed', { ...this.#name(), error });
  }

  #problemText(): string | null {
    const { problem } = this;
    return problem === null ? null : this.around.redact(problem.message);
  }

  #tell(signal: 'viewLive' | 'viewBuilding', { id: generation }: RunningGeneration): void {
    this.around.signals.emit(signal, { ...this.#name(), generation });
  }

  #name(): { readonly view: string; readonly version: number } {
    return { view: this.view.name, version: this.view.version };
  }

  #notify(): void {
    for (const check of [...this.#waiting]) check();
  }
}
