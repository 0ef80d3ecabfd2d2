import type { Clock } from '../../contracts/clock.js';
import { NO_OFFSET, NO_PARTITION } from '../../kafka/records.js';
import { HandlerTimeoutError } from '../../kafka-events.errors.js';
import { BufferBudget } from '../buffer-budget.js';
import { ConsumedRecord } from '../consumed-record.js';
import type { Delivery } from '../delivery.js';
import type { TopicRoutes } from '../event-router.js';
import type { HandlerCourses } from '../handler-courses.js';
import type { HandlerRuntime } from '../handler-runtime.js';
import { OwnedPartition, RecordPlace } from '../owned-partition.js';
import type { RecordEnding } from '../record-ending.js';
import type { RecordPipeline } from '../record-pipeline.js';
import type { RunningHandlers } from '../running-handlers.js';
import { atLast } from './at-last.js';
import type { DirectPass, DirectResult } from './direct-pass.js';
import { toInRecord, type DirectRecord } from './direct-record.js';
import type { DirectHandlerReply } from './direct-reply.js';

/** What a group consumes from one physical topic, as far as it matters here. */
interface Topic {
  readonly routes: TopicRoutes;
  /** Set for the group's own retry topics. */
  readonly parkedFrom: string | null;
}

export interface DirectGroupParts {
  readonly groupId: string;
  /** By physical name. */
  readonly topics: ReadonlyMap<string, Topic>;
  readonly pipeline: Pick<RecordPipeline, 'open'>;
  readonly courses: HandlerCourses;
  readonly pass: DirectPass;
  readonly running: RunningHandlers;
  /** Takes secrets out of the texts of errors. */
  readonly redact: (text: string) => string;
  readonly clock: Clock;
}

/** Nothing of it settles: there is no offset to move. */
const NO_ENDING: RecordEnding = { ended: () => undefined, faulted: () => undefined };

const NOTHING = { error: null, later: null };
const LATE: DirectResult = { outcome: 'late', ...NOTHING };
const HELD: DirectResult = { outcome: 'held', ...NOTHING };
const NOT_READY: DirectResult = { outcome: 'not-ready', ...NOTHING };
const LEFT: DirectResult = { outcome: 'left-to-kafka', ...NOTHING };

/**
 * What one consumer group does with events that are delivered to it directly.
 *
 * Each delivery stands in a partition of its own, which is none of Kafka's: it drains with the others
 * when the process stops, and is lost when its time is up, which ends every wait inside.
 */
export class DirectGroup {
  readonly #underWay = new Set<OwnedPartition<ConsumedRecord>>();
  /** Never spent: whoever delivers waits for the reply. */
  readonly #budget = new BufferBudget(Number.POSITIVE_INFINITY);
  #isHeld: (topic: string) => boolean = () => false;
  #closed = false;

  constructor(private readonly parts: DirectGroupParts) {}

  /** Whether it takes nothing any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /** Of the deliveries under way. */
  get partitions(): readonly OwnedPartition[] {
    return [...this.#underWay];
  }

  /** The topics that it handles, and those that it keeps to itself. */
  get topics(): { readonly consumed: readonly string[]; readonly own: readonly string[] } {
    const topics = [...this.parts.topics];
    const named = (own: boolean): string[] =>
      topics.flatMap(([name, { parkedFrom }]) => ((parkedFrom !== null) === own ? [name] : []));
    return { consumed: named(false), own: named(true) };
  }

  /** As `ControlledGroup.holdTopics`. */
  holdTopics(isHeld: (topic: string) => boolean): void {
    this.#isHeld = isHeld;
  }

  /** Takes nothing more; what is under way goes on. */
  close(): void {
    this.#closed = true;
  }

  /** Ends the waits of what is still under way, for good. */
  abandon(): void {
    for (const partition of this.#underWay) partition.lose();
  }

  /**
   * Hands the event to the handlers that have opted in. Answers when each of them has come to an end,
   * or at the cutoff: what runs then is told by its signal, and counts if it succeeds all the same.
   * Null when none of its handlers takes such an event. Never rejects.
   *
   * @param over called once, when the last of them has come back, which may be long after the answer.
   */
  async deliver(
    direct: DirectRecord,
    cutoff: AbortSignal,
    over: () => void,
  ): Promise<readonly DirectHandlerReply[] | null> {
    const opened = this.#open(direct);
    if (opened === null) {
      over();
      return null;
    }
    const leave = this.#enter(opened.record.partition, cutoff);
    const isBack = atLast(opened.handlers.length, over);
    const runs = opened.handlers.map((handler) => ({
      handlerId: handler.id,
      end: this.#run(opened, handler).then((result) => {
        if (result.later === null) isBack();
        else void result.later.then(isBack);
        return result;
      }),
    }));
    void Promise.all(runs.map(({ end }) => end)).then(leave);
    return Promise.all(
      runs.map(async ({ handlerId, end }) =>
        this.#replyOf(handlerId, await beforeCutoff(end, cutoff)),
      ),
    );
  }

  /** Null when none of its handlers takes such an event. */
  #open(direct: DirectRecord): Delivery | null {
    const { topics, clock, pipeline } = this.parts;
    const routes = topics.get(direct.topic)?.routes;
    if (routes === undefined) return null;
    const owned = { topic: direct.topic, partition: NO_PARTITION, epoch: 0 };
    const partition = new OwnedPartition<ConsumedRecord>(owned, clock, this.#budget);
    const place = new RecordPlace(NO_OFFSET, NO_OFFSET, null, clock.now());
    const opened = pipeline.open(new ConsumedRecord(toInRecord(direct), partition, place), routes);
    return opened.kind === 'deliver' ? opened : null;
  }

  /** Counts a delivery as under way, whose waits end at the cutoff; answers how to end it. */
  #enter(partition: OwnedPartition<ConsumedRecord>, cutoff: AbortSignal): () => void {
    const { clock, running } = this.parts;
    const startedAt = clock.now();
    const cut = (): void => {
      partition.lose();
      for (const { partition: its, context } of running) {
        if (its !== partition) continue;
        context.call.abort(new HandlerTimeoutError(context.handlerId, clock.now() - startedAt));
      }
    };
    this.#underWay.add(partition);
    cutoff.addEventListener('abort', cut, { once: true });
    return () => {
      cutoff.removeEventListener('abort', cut);
      this.#underWay.delete(partition);
      // Timers of waits that nobody waited for.
      partition.lose();
    };
  }

  async #run(delivery: Delivery, handler: HandlerRuntime): Promise<DirectResult> {
    const { partition } = delivery.record;
    if (!handler.handler.settings.acceptsDirect) return LEFT;
    // Held, it has no tickets: one would be waited for in vain.
    if (handler.held || this.#isHeld(partition.topic)) return HELD;
    if (!(await handler.tickets.acquire(partition))) return partition.lost ? LATE : NOT_READY;
    return this.parts.pass.run(this.parts.courses.courseOf(delivery, handler, NO_ENDING));
  }

  #replyOf(handlerId: string, { outcome, error }: DirectResult): DirectHandlerReply {
    const { groupId, redact } = this.parts;
    return { groupId, handlerId, outcome, error: error === null ? null : redact(error.message) };
  }
}

/** The result, or that it is late. */
function beforeCutoff(end: Promise<DirectResult>, cutoff: AbortSignal): Promise<DirectResult> {
  return new Promise((resolve) => {
    void end.then(resolve);
    cutoff.addEventListener(
      'abort',
      () => {
        resolve(LATE);
      },
      { once: true },
    );
  });
}
