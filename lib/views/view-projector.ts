import { EventBatch } from '../consuming/batch/event-batch.js';
import type { BatchItem } from '../consuming/batch/batch-item.js';
import type { BoundHandler, HandledContext } from '../consuming/event-handler.js';
import type { HandlerSettings } from '../consuming/handler-options.js';
import { sleep, type Clock } from '../contracts/clock.js';
import { withinMs } from '../contracts/within.js';
import { StoreUnavailableError, toError } from '../kafka-events.errors.js';
import type { InRecord, TopicPartition } from '../kafka/records.js';
import { markOf } from './recent-events.js';
import { ViewChanges, type ProjectedRecord } from './view-change.js';
import type { Projects, ViewDefinition } from './view-definition.js';
import type { ChangeAnswer, ViewStore } from './view-store.js';

/** How long a change may take before it counts as unanswered; one that is late does no harm. */
const CHANGE_MS = 30_000;
/** Between two tries of a store that is away, or of a generation that is frozen. */
const AWAY_MS = 500;
const FROZEN_MS = 25;

/** What a projector needs, and whom it tells. */
export interface ProjectorSurroundings {
  readonly store: ViewStore;
  readonly clock: Clock;
  readonly topicName: (topic: string) => string;
  /** All before that offset has been dealt with. */
  readonly onChanged: (partition: TopicPartition, nextOffset: bigint) => void;
  /** Null when the store has answered. */
  readonly onStore: (error: Error | null) => void;
}

/**
 * The handler of batches that keeps one generation of a view.
 *
 * Rows and position change together, so it needs no claims. A position may not pass a record that is still to
 * be applied: what comes behind one that fails is handed back as it came, and comes again when that one has
 * succeeded or is dead-lettered. The store's own failures are nobody's: everything is handed back.
 */
export function viewProjector(
  view: ViewDefinition,
  generation: string,
  settings: HandlerSettings,
  around: ProjectorSurroundings,
): BoundHandler {
  const projector = new ViewProjector(view, generation, around);
  return {
    settings,
    contracts: view.on.map(({ contract }) => contract),
    invoke: (_payload, context) => projector.project(context),
    faultOf: () => 'body',
    filter: () => null,
  };
}

class ViewProjector {
  /** By event type, and by physical topic where a record has none. */
  readonly #byType: ReadonlyMap<string, Projects>;
  readonly #byTopic = new Map<string, Projects[]>();

  constructor(
    private readonly view: ViewDefinition,
    private readonly generation: string,
    private readonly around: ProjectorSurroundings,
  ) {
    const placeOf = ({ contract }: Projects): string => around.topicName(contract.topic);
    this.#byType = new Map(
      view.on.map((each) => [typeIn(placeOf(each), each.contract.eventType), each]),
    );
    for (const each of view.on) {
      const topic = placeOf(each);
      this.#byTopic.set(topic, [...(this.#byTopic.get(topic) ?? []), each]);
    }
  }

  async project(batch: HandledContext): Promise<void> {
    if (!(batch instanceof EventBatch)) throw new TypeError('a view is made of batches');
    const raw = batch.records;
    const records = [...batch].flatMap((item) => {
      const record = raw[item.index];
      return record === undefined ? [] : [this.#recordOf(item, record)];
    });
    const changes = new ViewChanges(this.view, records);
    const { clock } = this.around;
    const answer = await this.#change(batch, changes);
    if (answer !== 'changed') {
      await sleep(clock, answer === 'frozen' ? FROZEN_MS : AWAY_MS);
      handBack(batch, 0);
      return;
    }
    const { failed } = changes;
    const applied = failed?.index ?? records.length;
    const last = records[applied - 1];
    if (last !== undefined) this.around.onChanged(batch, last.offset + 1n);
    if (failed === null) return;
    batch.retry(failed.index, failed.error);
    handBack(batch, failed.index + 1);
  }

  async #change(batch: EventBatch, changes: ViewChanges): Promise<ChangeAnswer | 'unanswered'> {
    const { store, clock, onStore } = this.around;
    const { topic, partition } = batch;
    const place = { generation: this.generation, topic, partition };
    try {
      const changing = Promise.resolve(store.change(place, changes.keys, changes.work));
      if (!(await withinMs(changing, CHANGE_MS, clock))) {
        throw new StoreUnavailableError(`no answer within ${String(CHANGE_MS)} ms`);
      }
      const answer = await changing;
      onStore(null);
      return answer;
    } catch (thrown) {
      onStore(toError(thrown));
      return 'unanswered';
    }
  }

  #recordOf(event: BatchItem, record: InRecord): ProjectedRecord {
    const { offset, value } = record;
    const { payload } = event;
    const projection = value === null ? null : this.#projectionOf(event, record);
    return { offset, mark: markOf(event), projection, payload, event };
  }

  /** As records are routed: by their type, or by the definitions where they have none. */
  #projectionOf({ eventType, topic }: BatchItem, record: InRecord): Projects {
    const ofTopic = this.#byTopic.get(topic) ?? [];
    const found =
      eventType === ''
        ? (ofTopic.find(({ contract }) => contract.match?.(record) === true) ?? ofTopic[0])
        : this.#byType.get(typeIn(topic, eventType));
    if (found === undefined) throw new TypeError(`${this.view.name} was given ${eventType}`);
    return found;
  }
}

function handBack(batch: EventBatch, from: number): void {
  for (let index = from; index < batch.length; index++) batch.hold(index);
}

function typeIn(topic: string, eventType: string): string {
  return `${topic} ${eventType}`;
}
