import type { Clock } from '../contracts/clock.js';
import type { EventContract } from '../contracts/event-contract.js';
import { DEFAULT_CRASH_LOOP } from '../failure/crash-loop.js';
import { DeadLetterWriter, type RecordSender } from '../failure/dead-letter-writer.js';
import { safeRedactor } from '../failure/redact.js';
import { Claims } from '../idempotency/claims.js';
import type { KafkaDriver } from '../kafka/driver.js';
import type { GroupSettings, KafkaEventsSettings } from '../kafka-events.options.js';
import type { SignalSink } from '../observability/observer.js';
import type { EventSink } from '../publishing/publish-options.js';
import { BatchFates } from './batch/batch-fates.js';
import { BatchLoops } from './batch/batch-loops.js';
import type { BufferBudget } from './buffer-budget.js';
import { ClaimStep } from './claim-step.js';
import { CrashGuard } from './crash-guard.js';
import { DeadLetterStep } from './dead-letter-step.js';
import { DirectGroup } from './direct/direct-group.js';
import { DirectPass } from './direct/direct-pass.js';
import { Dispatcher } from './dispatcher.js';
import type { BoundHandler } from './event-handler.js';
import { TopicRoutes } from './event-router.js';
import { FailureStep } from './failure-step.js';
import { GiveUpStep } from './give-up-step.js';
import { GroupConsumer, type ConsumedTopic } from './group-consumer.js';
import { HandleStep } from './handle-step.js';
import { HandlerCourses } from './handler-courses.js';
import { HandlerRuntime } from './handler-runtime.js';
import { HandlerSlots } from './handler-slots.js';
import { KeyHolds } from './key-holds.js';
import { ParkStep } from './park-step.js';
import { MarkKeeper } from './mark-keeper.js';
import type { Quarantine } from './quarantine.js';
import { RecordPipeline } from './record-pipeline.js';
import { hasRetryTopic } from './retry-topics.js';
import { RunningHandlers } from './running-handlers.js';
import { Semaphore } from './semaphore.js';

/** Claims on their way beyond the running handlers, where the store is across the network. */
const CLAIMS_AHEAD = 256;

/** What all groups of a process share. */
export interface GroupSurroundings {
  readonly settings: KafkaEventsSettings;
  readonly driver: KafkaDriver;
  readonly sink: EventSink;
  /** Acknowledged, or rejected at the first try: to dead-letter and retry topics. */
  readonly sendAside: RecordSender;
  readonly budget: BufferBudget;
  readonly parkedBudget: BufferBudget;
  readonly quarantine: Quarantine;
  readonly signals: SignalSink;
  readonly random: () => number;
  /** Names this process in claim tokens. */
  readonly owner: string;
}

/** What the consumers of a process are given; the rest is their own. */
export type ProcessSurroundings = Omit<GroupSurroundings, 'budget' | 'parkedBudget' | 'quarantine'>;

/** Wires one consumer group: its handlers' permits, routes, pipeline and consumer. */
export function buildGroup(
  group: GroupSettings,
  handlers: readonly BoundHandler[],
  around: GroupSurroundings,
): { readonly consumer: GroupConsumer; readonly claims: Claims } {
  const { settings, driver, signals, budget, parkedBudget } = around;
  const { clock, idempotency } = settings;
  const { inProcess } = idempotency.store;
  const runtimes = handlers.map(
    (handler) =>
      new HandlerRuntime(handler, clock, inProcess ? 0 : CLAIMS_AHEAD, () => {
        dispatcher.pump();
      }),
  );
  const topics = consumedTopics(group.groupId, runtimes, settings);
  const claims = buildClaims(group, around, clock);
  const running = new RunningHandlers(clock);
  const marks = new MarkKeeper({
    store: idempotency.store,
    handlers: handlers.map((handler) => handler.settings),
    partitions: () => consumer.partitions,
    clock,
    onStoreError: storeFailures(group, around),
  });
  const consumer: GroupConsumer = new GroupConsumer({
    settings: group,
    driver: driver.consumer({ ...group, topics: [...topics.keys()] }),
    topics,
    ...buildWays(group, { claims, running, marks, topics }, around),
    dispatch: (delivery) => {
      dispatcher.enqueue(delivery);
    },
    pump: () => {
      dispatcher.pump();
    },
    running,
    marks,
    handlers: runtimes,
    budget,
    parkedBudget,
    maxWaiting: settings.retryTopic.maxWaitingRecords,
    signals,
    clock,
    unsharedStore: inProcess && handlers.some(({ settings: own }) => own.idempotency !== null),
  });
  const routes = [...topics.values()].flatMap((topic) => topic.routes.routes);
  const dispatcher = new Dispatcher(routes, consumer.deliver);
  return { consumer, claims };
}

function buildClaims(group: GroupSettings, around: GroupSurroundings, clock: Clock): Claims {
  const { owner, settings } = around;
  const { sessionTimeoutMs } = group;
  return new Claims(settings.idempotency.store, {
    leaseMs: sessionTimeoutMs,
    owner,
    clock,
    suspects: settings.crashLoop !== null,
    onStoreError: storeFailures(group, around),
  });
}

function storeFailures({ groupId }: GroupSettings, { signals }: GroupSurroundings) {
  return (operation: string, error: Error): void => {
    signals.emit('storeFailed', { groupId, operation, error });
  };
}

/** What the steps of a group share. */
interface GroupParts {
  readonly claims: Claims;
  readonly running: RunningHandlers;
  readonly marks: MarkKeeper;
  readonly topics: ReadonlyMap<string, ConsumedTopic>;
}

/** What takes records to their end: one by one, and in batches. */
function buildWays(
  { groupId, sessionTimeoutMs: leaseMs, maxConcurrency }: GroupSettings,
  { claims, running, marks, topics }: GroupParts,
  { settings, signals, sink, sendAside, random, quarantine }: GroupSurroundings,
): {
  readonly pipeline: RecordPipeline;
  readonly toBatches: BatchLoops;
  readonly keyHolds: KeyHolds;
  readonly direct: DirectGroup;
} {
  const { clock, missingId, deadLetter, retryTopic, idempotency } = settings;
  const { onStoreError } = idempotency;
  const groupSlots = Number.isFinite(maxConcurrency) ? new Semaphore(maxConcurrency) : null;
  // What is no record of ours in a retry topic goes where those of its source go.
  const topicName = (topic: string) => deadLetter.topicName(topics.get(topic)?.parkedFrom ?? topic);
  const writer = new DeadLetterWriter({ ...deadLetter, topicName }, sendAside);
  const policy = settings.crashLoop ?? DEFAULT_CRASH_LOOP;
  const guard = new CrashGuard({ groupId, onStoreError, policy }, quarantine, claims, signals);
  const claimStep = (onError: typeof onStoreError): ClaimStep =>
    new ClaimStep(
      { groupId, onStoreError: onError, leaseMs },
      claims,
      guard,
      marks,
      signals,
      clock,
    );
  const claim = claimStep(onStoreError);
  const deadLetters = new DeadLetterStep(groupId, writer, signals, clock);
  const redact = safeRedactor(deadLetter.redact);
  const topicFor = (topic: string) => retryTopic.topicName(topic, groupId);
  const slots = new HandlerSlots(groupSlots, quarantine, guard);
  const handle = new HandleStep(slots, quarantine, running, claim, sink, signals, clock);
  const failure = new FailureStep(signals, clock, random);
  const giveUp = new GiveUpStep(
    claim,
    new ParkStep({ groupId, topicFor, redact }, sendAside, signals, clock),
    deadLetters,
  );
  const keyHolds = new KeyHolds(claim, signals, clock);
  const steps = { claim, guard, handle, failure, giveUp, keyHolds, deadLetter: deadLetters };
  const courses = new HandlerCourses(groupId);
  const toBatches = new BatchLoops(courses, {
    ...{ claim, guard, slots, quarantine, running, failure, giveUp, sink, signals, clock, random },
    fates: new BatchFates(failure, random),
  });
  const options = { groupId, missingId };
  const pipeline = new RecordPipeline(options, courses, steps, signals, clock);
  const { rememberMs } = settings.directDelivery ?? { rememberMs: 0 };
  // Without its claim the copy from Kafka would run again: that is not for `onStoreError` to allow.
  const directSteps = { claim: claimStep('pause'), guard, handle, failure };
  const pass = new DirectPass({ rememberMs }, directSteps, signals, clock);
  const directParts = { groupId, topics, pipeline, courses, pass, running, redact, clock };
  return { pipeline, toBatches, keyHolds, direct: new DirectGroup(directParts) };
}

/**
 * Routes by physical topic and event type; handlers of one topic agree on its ordering. Behind each
 * topic comes its retry topic, with routes, and so a place in the dispatcher's turns, of its own.
 */
function consumedTopics(
  groupId: string,
  runtimes: readonly HandlerRuntime[],
  { topicName, retryTopic }: KafkaEventsSettings,
): ReadonlyMap<string, ConsumedTopic> {
  const topics = routesByTopic(runtimes, topicName);
  const parking = runtimes.filter(({ handler }) => hasRetryTopic(handler.settings));
  const consumed = new Map<string, ConsumedTopic>();
  for (const [topic, routes] of topics) {
    const [first] = routes.routes.flatMap(({ handlers }) => handlers);
    const { ordering = 'key', batch = null } = first?.handler.settings ?? {};
    // Batches keep the order of keys by themselves. Where that of all is kept, what reaches no batch holds it up, too.
    const own = batch === null || ordering === 'partition' ? ordering : 'none';
    consumed.set(topic, { routes, ordering: own, batches: batch !== null, parkedFrom: null });
  }
  for (const [topic, routes] of routesByTopic(parking, topicName)) {
    const batches = consumed.get(topic)?.batches === true;
    const parked = { routes, ordering: 'none' as const, batches, parkedFrom: topic };
    consumed.set(retryTopic.topicName(topic, groupId), parked);
  }
  return consumed;
}

function routesByTopic(
  runtimes: readonly HandlerRuntime[],
  topicName: (topic: string) => string,
): ReadonlyMap<string, TopicRoutes> {
  const byTopic = new Map<string, TopicHandlers>();
  const at = (topic: string): TopicHandlers => {
    const known = byTopic.get(topic) ?? { byType: new Map(), wholeTopic: [] };
    byTopic.set(topic, known);
    return known;
  };
  for (const runtime of runtimes) {
    const { contracts, wholeTopic } = runtime.handler;
    if (wholeTopic !== undefined) at(wholeTopic.topic).wholeTopic.push(runtime);
    for (const contract of contracts) {
      const { byType } = at(topicName(contract.topic));
      const route = byType.get(contract.eventType) ?? { contract, handlers: [] };
      byType.set(contract.eventType, route);
      route.handlers.push(runtime);
    }
  }
  return new Map(
    [...byTopic].map(([topic, { byType, wholeTopic }]) => [
      topic,
      new TopicRoutes([...byType.values()], wholeTopic),
    ]),
  );
}

interface TopicHandlers {
  readonly byType: Map<string, { contract: EventContract; handlers: HandlerRuntime[] }>;
  readonly wholeTopic: HandlerRuntime[];
}
