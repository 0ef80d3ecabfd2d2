import type { EventContract } from '../../lib/contracts/event-contract.js';
import { CONTRACT, type DefinedEvent } from '../../lib/contracts/event-source.js';
import { HEADERS } from '../../lib/contracts/event-headers.js';
import { NonRetryableEventError } from '../../lib/kafka-events.errors.js';
import { defineView, projects } from '../../lib/views/view-definition.js';
import { viewProjector } from '../../lib/views/view-projector.js';
import type { ViewRef, ViewStore } from '../../lib/views/view-store.js';
import { systemClock, type Clock } from '../../lib/contracts/clock.js';
import { anyEvent, batchHandlerOf, startEngine, type Engine } from './engine.js';
import { eventually } from './eventually.js';
import { ModelPartition } from './model-kafka.js';

/** What a record of the log says. */
export interface Entry {
  readonly id: string;
  readonly key: string;
  /** Poison fails each time, what is refused is given up at once. */
  readonly kind: 'add' | 'delete' | 'poison' | 'refused';
}

/** The ids that made a row, in their order. */
type Row = readonly string[];

const Changed: DefinedEvent<Entry, Entry> = defined(anyEvent('row.changed'));
const REMEMBERED = 32;
const QUICK = { attempts: 2, initialDelayMs: 2, factor: 1, maxDelayMs: 2, jitter: 0 };
export const REF: ViewRef = { view: 'shop.rows', version: 1 };

const View = defineView<Row>({
  name: 'rows',
  version: 1,
  on: [
    projects(Changed, {
      key: ({ key }) => key,
      apply: (current, { id, kind }) => {
        if (kind === 'poison') throw new Error('poison');
        if (kind === 'refused') throw new NonRetryableEventError('refused');
        return kind === 'delete' ? null : [...(current ?? []), id];
      },
    }),
  ],
});

function defined(contract: EventContract): DefinedEvent<Entry, Entry> {
  return { ...contract, [CONTRACT]: contract };
}

/** Waits of a projector take a turn of the loop: nothing in these tests is about time. */
const HASTY: Clock = {
  now: () => systemClock.now(),
  wallTime: () => systemClock.wallTime(),
  setTimeout: (fn, ms) => systemClock.setTimeout(fn, ms > 1_000 ? ms : 0),
  clearTimeout: (handle) => {
    systemClock.clearTimeout(handle);
  },
};

/** How a store fails: before it has done anything, or when it has, without saying so. */
export type Weather = 'fine' | 'no call arrives' | 'no answer arrives';

/** A store as if it were across a network, in that weather. */
export function faraway(store: ViewStore, weather: () => Weather): ViewStore {
  const call = async <T>(ask: () => T): Promise<Awaited<T>> => {
    const now = weather();
    await Promise.resolve();
    if (now === 'no call arrives') throw new Error('away');
    const answer = await ask();
    if (now === 'no answer arrives') throw new Error('cut off');
    return answer;
  };
  return {
    name: store.name,
    inProcess: false,
    generations: (view) => call(() => store.generations(view)),
    begin: (view, id) => call(() => store.begin(view, id)),
    change: (place, keys, work) => call(() => store.change(place, keys, work)),
    freeze: (generation, forMs) => call(() => store.freeze(generation, forMs)),
    swap: (view, id, known) => call(() => store.swap(view, id, known)),
    read: (view, keys) => call(() => store.read(view, keys)),
    list: (view, query) => call(() => store.list(view, query)),
    sweep: (view, unusedMs) => call(() => store.sweep(view, unusedMs)),
  };
}

/** One generation with the consumers that keep it: two, each of which believes that it owns everything. */
export class KeptGeneration {
  readonly partitions: readonly ModelPartition[];
  readonly deadIds = new Set<string>();
  readonly owners: Engine[] = [];
  /** Zombies included. */
  readonly #all: Engine[] = [];

  constructor(
    readonly id: string,
    private readonly store: ViewStore,
    partitions: number,
  ) {
    this.partitions = Array.from(
      { length: partitions },
      (_, partition) => new ModelPartition('orders', partition),
    );
  }

  append(partition: number, entry: Entry): void {
    this.partitions[partition]?.append({
      key: Buffer.from(entry.key),
      value: Buffer.from(JSON.stringify(entry)),
      headers: [
        [HEADERS.eventType, Buffer.from('row.changed.v1')],
        [HEADERS.eventId, Buffer.from(entry.id)],
      ],
    });
  }

  /** A process takes the place of one of the owners, which goes on as if nothing had happened until it is done. */
  async replace(owner: number): Promise<void> {
    const zombie = this.owners[owner]?.kafka;
    // Its commits are refused, and it does not hear of that.
    if (zombie !== undefined) zombie.commit = (items) => Promise.resolve(items);
    const engine = await this.#owner();
    this.owners[owner] = engine;
    this.#all.push(engine);
  }

  fetch(owner: number, partition: number, max?: number): void {
    const from = this.partitions[partition];
    if (from !== undefined) this.owners[owner]?.kafka.fetch(from, max);
  }

  /** Both go on until everything is settled and committed. */
  async finish(): Promise<void> {
    await eventually(
      () => {
        for (const { kafka } of this.owners) this.partitions.forEach((each) => kafka.fetch(each));
        return this.partitions.every((each) => (each.committed ?? 0n) >= each.endOffset);
      },
      { intervalMs: 1, message: 'every record settled and committed' },
    );
  }

  /** Nobody goes on with it. */
  async stop(): Promise<void> {
    await Promise.all(this.#all.map(({ consumer }) => consumer.stop(0, 0)));
  }

  async #owner(): Promise<Engine> {
    const { settings } = batchHandlerOf('view:rows', [], () => undefined, {
      ...{ maxSize: 4, maxWaitMs: 0, ordering: 'partition', idempotency: null, retry: QUICK },
    });
    const projector = viewProjector(View, this.id, settings, {
      store: this.store,
      clock: HASTY,
      topicName: (topic) => topic,
      onChanged: () => undefined,
      onStore: () => undefined,
    });
    return startEngine(this.partitions, [projector], {
      group: { commitIntervalMs: 0 },
      onDeadLetter: (_topic, { value }) => {
        this.deadIds.add((JSON.parse(value?.toString() ?? '{}') as Entry).id);
      },
    });
  }
}

/** The rows that a log makes, up to a position in each of its partitions. */
export function rowsOf(
  logs: readonly (readonly Entry[])[],
  positions: readonly number[],
): Record<string, Row> {
  const rows: Record<string, Row> = {};
  for (const [partition, log] of logs.entries()) {
    for (const { id, key, kind } of log.slice(0, positions[partition])) {
      if (kind === 'delete') Reflect.deleteProperty(rows, key);
      // A row remembers so many of its latest events, and takes no copy of them.
      if (kind === 'add' && rows[key]?.slice(-REMEMBERED).includes(id) !== true) {
        rows[key] = [...(rows[key] ?? []), id];
      }
    }
  }
  return rows;
}
