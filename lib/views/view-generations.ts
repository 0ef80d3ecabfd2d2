import type { JoinOptions } from '../consuming/event-consumers.js';
import type { BoundHandler } from '../consuming/event-handler.js';
import type { HandlerSettings } from '../consuming/handler-options.js';
import type { Clock } from '../contracts/clock.js';
import { partitionName } from '../kafka/records.js';
import { DriverError, toError } from '../kafka-events.errors.js';
import type { SignalSink } from '../observability/observer.js';
import type { ViewDefinition } from './view-definition.js';
import { RunningGeneration } from './view-generation.js';
import type { ViewLog } from './view-log.js';
import { viewProjector } from './view-projector.js';
import type { Generation, ViewPosition, ViewRef, ViewStore } from './view-store.js';
import type { ViewTroubles } from './view-troubles.js';

/** Before a group that could not be joined is tried again. */
const AGAIN_MS = 1_000;

/** The consumer groups of this process. */
export interface ViewGroups {
  join(groupId: string, handlers: readonly BoundHandler[], options: JoinOptions): Promise<void>;
  leave(groupId: string): Promise<void>;
  /** How far this process has dealt with what it owns. */
  watermarks(groupId: string): readonly ViewPosition[];
}

/** What the generations of all views of a process share. */
export interface GenerationSurroundings {
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
}

/** The generations of one view as this process knows them, each with the consumer group that it is kept by. */
export class ViewGenerations {
  readonly ref: ViewRef;
  /** Physical names. */
  readonly topics: readonly string[];
  readonly #known = new Map<string, RunningGeneration>();
  #live: RunningGeneration | null = null;

  /** @param onMove told whenever something has changed, or come further. */
  constructor(
    private readonly view: ViewDefinition,
    private readonly around: GenerationSurroundings,
    private readonly troubles: ViewTroubles,
    private readonly onMove: () => void,
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
    return this.all.find(({ state }) => state === 'building') ?? null;
  }
  get all(): readonly RunningGeneration[] {
    return [...this.#known.values()];
  }

  /** Compares those in the store with those known here: joins and leaves. @throws what the store does */
  async reconcile(): Promise<void> {
    const { store, consumes, newId, groups } = this.around;
    let found = await store.generations(this.ref);
    if (found.length === 0 && consumes) {
      await store.begin(this.ref, newId());
      found = await store.generations(this.ref);
    }
    for (const each of found) this.#running(each).update(each);
    for (const generation of this.all) {
      if (found.some(({ id }) => id === generation.id)) {
        if (consumes) this.#join(generation);
        generation.progress.learn(groups.watermarks(generation.groupId));
      } else {
        this.#drop(generation);
      }
    }
    const live = this.all.find(({ state }) => state === 'live') ?? null;
    if (live !== null && live !== this.#live) this.#tell('viewLive', live);
    this.#live = live;
    this.onMove();
  }

  /** Looks where the log ends, and how far the groups are. @throws DriverError when the broker does not answer. */
  async look(): Promise<void> {
    const { log, signals } = this.around;
    let lost: Error | null = null;
    for (const generation of this.all) {
      const look = await log.look(generation.groupId, this.topics);
      lost ??= errorOf(generation.lostIn(look));
      const seen = new Set(look.ends.map(({ topic }) => topic));
      // What a topic holds that is away is not known.
      if (seen.size < this.topics.length) continue;
      const { name: view, version } = this.view;
      for (const { topic, partition, offset: start } of generation.see(look)) {
        signals.emit('viewRecordsGone', { view, version, topic, partition, start });
      }
    }
    this.troubles.note('log', lost);
  }

  /** Resolves when no group is being joined any more. Never rejects. */
  async joined(): Promise<void> {
    for (const { joining } of this.all) await joining;
  }

  #running({ id, state }: Generation): RunningGeneration {
    const known = this.#known.get(id);
    if (known !== undefined) return known;
    const { view, version } = this.ref;
    const generation = new RunningGeneration(id, `${view}.v${String(version)}.${id}`);
    this.#known.set(id, generation);
    generation.progress.onMove(this.onMove);
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
        this.troubles.note('change', error);
      },
    });
    generation.joining = groups.join(groupId, [projector], { commits: !store.inProcess }).then(
      () => {
        this.troubles.note('join', null);
      },
      (thrown: unknown) => {
        this.troubles.note('join', toError(thrown));
        generation.joining = null;
        generation.joinAt = clock.now() + AGAIN_MS;
      },
    );
  }

  #drop(generation: RunningGeneration): void {
    this.#known.delete(generation.id);
    const { joining, groupId } = generation;
    if (joining !== null) void joining.then(() => this.around.groups.leave(groupId));
  }

  #tell(signal: 'viewLive' | 'viewBuilding', { id: generation }: RunningGeneration): void {
    const { name: view, version } = this.view;
    this.around.signals.emit(signal, { view, version, generation });
  }
}

/** New records would pass for old ones: nobody else would ever notice. */
function errorOf(lost: ReturnType<RunningGeneration['lostIn']>): Error | null {
  if (lost === null) return null;
  const { end, applied } = lost;
  return new DriverError(
    'retryable',
    `${partitionName(end)} ends at ${String(end.offset)}, and the view has events up to ${String(applied)} of it: ` +
      'the topic was made anew, or has lost records. Raise the version of the view to have it made of what there is',
  );
}
