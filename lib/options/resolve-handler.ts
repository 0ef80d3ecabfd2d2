import type {
  EventBatchHandlerOptions,
  EventHandlerOptions,
  EventHandlerOverrides,
  HandlerKind,
  HandlerSettings,
} from '../consuming/handler-options.js';
import { hasRetryTopic } from '../consuming/retry-topics.js';
import { InvalidHandlerError } from '../kafka-events.errors.js';
import type { KafkaEventsSettings } from '../kafka-events.options.js';
import { DEFAULTS } from './defaults.js';
import { readHandler } from './handler-overrides.js';
import { OptionProblems } from './option-problems.js';
import { OptionSection } from './option-section.js';

/** What a handler's settings depend on beside its own options. */
type HandlerDefaults = Pick<
  KafkaEventsSettings,
  | 'defaultGroupId'
  | 'handlerOverrides'
  | 'idempotency'
  | 'outage'
  | 'retry'
  | 'retryTopic'
  | 'tombstones'
>;

/**
 * A handler's settings: defaults, then its decorator's options, then the module's `handlers[id]`.
 *
 * Objects inside merge value by value; `idempotency: false` of one yields to an object of the next.
 *
 * @param kind what it takes at once.
 * @throws InvalidHandlerError naming every option of the decorator that is wrong, and a missing group.
 */
export function resolveHandler(
  id: string,
  options: EventHandlerOptions | EventBatchHandlerOptions,
  settings: HandlerDefaults,
  kind: HandlerKind = 'record',
): HandlerSettings {
  const problems = new OptionProblems();
  const { id: name, aliases = [], ...declared } = options;
  if (id.trim() === '' || name?.trim() === '') problems.add('id', 'must not be empty');
  checkAliases(problems, id, aliases);
  const own = new OptionSection<EventHandlerOverrides>(problems, '', declared).readAll(readHandler);
  const override = settings.handlerOverrides[id] ?? {};
  checkKind(problems, kind, { ...own, ...override });
  const groupId = override.groupId ?? own.groupId ?? settings.defaultGroupId;
  if (groupId === null) {
    problems.add('groupId', 'is missing; set it, consumer.groupId of the module or KAFKA_GROUP_ID');
  }
  if (groupId === null || problems.list.length > 0) {
    throw new InvalidHandlerError(problems.list.map((one) => `${one.option} ${one.problem}`));
  }
  const { batch } = DEFAULTS;
  const {
    maxSize = batch.maxSize,
    maxWaitMs = batch.maxWaitMs,
    ...given
  } = { ...own, ...override };
  const resolved: HandlerSettings = {
    id,
    claimedAs: aliases[0] ?? id,
    aliases,
    ...DEFAULTS.handler,
    tombstones: settings.tombstones,
    ...given,
    groupId,
    retry: { ...settings.retry, ...own.retry, ...override.retry },
    concurrency: concurrencyOf(own, override),
    retryTopic: mergeRetryTopic(own, override, settings.retryTopic.delaysMs),
    rate: mergeRate(own, override),
    outage: mergeOutage(own, override, settings.outage),
    idempotency: mergeIdempotency(own, override, settings.idempotency.windowMs),
    batch: kind === 'batch' ? { maxSize, maxWaitMs } : null,
  };
  const contradictions = [...keyHoldProblems(resolved), ...directProblems(resolved)];
  if (contradictions.length > 0) throw new InvalidHandlerError(contradictions);
  return resolved;
}

/** Why a handler cannot hold the key of a dead-lettered record. */
function keyHoldProblems(settings: HandlerSettings): string[] {
  if (settings.onDeadLetter === 'continue') return [];
  const needs: [wrong: boolean, problem: string][] = [
    [settings.batch !== null, 'is not for batch handlers, whose records are in one call'],
    [hasRetryTopic(settings), 'keeps order, which a retry topic gives up; set retryTopic: false'],
    [settings.ordering === 'none', "keeps order, and ordering is 'none'"],
    [
      settings.idempotency === null,
      'knows by its claim what is dead; do not switch idempotency off',
    ],
  ];
  return needs.flatMap(([wrong, problem]) => (wrong ? [`onDeadLetter 'hold-key' ${problem}`] : []));
}

/** Why a handler cannot take events that do not come from Kafka. */
function directProblems({ acceptsDirect, idempotency, onDeadLetter }: HandlerSettings): string[] {
  if (!acceptsDirect) return [];
  const needs: [wrong: boolean, problem: string][] = [
    [idempotency === null, 'knows the copy from Kafka by its claim; do not switch idempotency off'],
    [
      idempotency?.scope === 'partition',
      "needs event ids that are unique by themselves, and idempotency.scope is 'partition'",
    ],
    [onDeadLetter === 'hold-key', "keeps no order, which onDeadLetter 'hold-key' is for"],
  ];
  return needs.flatMap(([wrong, problem]) => (wrong ? [`acceptsDirect ${problem}`] : []));
}

function checkKind(
  problems: OptionProblems,
  kind: HandlerKind,
  given: EventHandlerOverrides,
): void {
  if (kind === 'batch') {
    if (given.ordering !== undefined) {
      problems.add(
        'ordering',
        'is no option of @EventBatchHandler: batches keep the order of each key',
      );
    }
    if (typeof given.concurrency === 'object') {
      problems.add(
        'concurrency',
        'must be a number: how long a batch takes says more of its size than of the load',
      );
    }
    if (given.acceptsDirect === true) {
      problems.add('acceptsDirect', 'is for handlers that take one record at a time');
    }
    return;
  }
  for (const name of ['maxSize', 'maxWaitMs'] as const) {
    if (given[name] !== undefined) problems.add(name, 'is an option of @EventBatchHandler alone');
  }
}

function checkAliases(problems: OptionProblems, id: string, aliases: unknown): void {
  if (!isTextList(aliases)) problems.add('aliases', 'must be a list of ids, none of them empty');
  else if (aliases.includes(id))
    problems.add('aliases', `names '${id}', which is the id it has now`);
}

function isTextList(value: unknown): value is readonly string[] {
  return (
    Array.isArray(value) && value.every((each) => typeof each === 'string' && each.trim() !== '')
  );
}

/** Bounds are one value: those of one place do not mix with those of another. */
function concurrencyOf(
  own: EventHandlerOptions,
  override: EventHandlerOptions,
): HandlerSettings['concurrency'] {
  const last = override.concurrency ?? own.concurrency ?? DEFAULTS.handler.concurrency;
  return typeof last === 'number' ? last : { ...DEFAULTS.adaptive, ...last };
}

function mergeRate(
  { rate: own }: EventHandlerOptions,
  { rate: override = own }: EventHandlerOptions,
): HandlerSettings['rate'] {
  if (override === undefined || override === false) return null;
  return { burst: 1, ...(own === false ? {} : own), ...override };
}

function mergeRetryTopic(
  own: EventHandlerOptions,
  override: EventHandlerOptions,
  delaysMs: readonly number[] | null,
): HandlerSettings['retryTopic'] {
  const last = override.retryTopic ?? own.retryTopic;
  if (last !== undefined) return last === false ? null : last;
  return delaysMs === null ? null : { delaysMs };
}

function mergeOutage(
  own: EventHandlerOptions,
  override: EventHandlerOptions,
  ofModule: HandlerSettings['outage'],
): HandlerSettings['outage'] {
  const last = override.outage ?? own.outage;
  if (last === false || (last === undefined && ofModule === null)) return null;
  return { ...DEFAULTS.outage, ...ofModule, ...own.outage, ...override.outage };
}

function mergeIdempotency(
  own: EventHandlerOptions,
  override: EventHandlerOptions,
  windowMs: number,
): HandlerSettings['idempotency'] {
  if ((override.idempotency ?? own.idempotency) === false) return null;
  return { windowMs, scope: 'event', ...own.idempotency, ...override.idempotency };
}
