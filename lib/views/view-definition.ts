import type { ConsumedEvent } from '../consuming/consumed-event.js';
import type { EventContract } from '../contracts/event-contract.js';
import { contractOf, type EventPayload, type EventSource } from '../contracts/event-source.js';
import { InvalidDefinitionError } from '../kafka-events.errors.js';

/** What a projection knows of its event, beside the payload. */
export type ProjectedEvent = Pick<
  ConsumedEvent,
  | 'eventId'
  | 'eventType'
  | 'aggregateId'
  | 'correlationId'
  | 'timestamp'
  | 'topic'
  | 'partition'
  | 'offset'
  | 'headers'
>;

/** What one event does to a view whose rows are `T`. Both functions are pure and answer at once. */
export interface Projection<S extends EventSource, T> {
  /** The key of the row that the event is about: a text of 1 to 512 characters. */
  readonly key: (payload: EventPayload<S>, event: ProjectedEvent) => string;
  /**
   * The row after the event; null for none any more. `current` is a copy, null where there is no row.
   *
   * Answers JSON: a date of today comes back as text tomorrow.
   */
  readonly apply: (
    current: T | null,
    payload: EventPayload<S>,
    event: ProjectedEvent,
  ) => NoInfer<T> | null;
}

/** What `projects` and `defineView` made. Registered, so that two copies of the package agree. */
const MADE_AS = Symbol.for('nestjs-kafka-events:view');

/** An event with its projection; made by {@link projects}. */
export interface Projects<T = unknown> {
  readonly [MADE_AS]: 'projection';
  readonly contract: EventContract;
  keyOf(payload: unknown, event: ProjectedEvent): unknown;
  apply(current: T | null, payload: unknown, event: ProjectedEvent): T | null;
}

export interface ViewOptions<T> {
  /** Of the view among those of its consumer group: letters, digits, `.`, `_` and `-`, up to 100. */
  readonly name: string;
  /** A positive integer. Raise it when projections change: the view is then built anew, from the log. */
  readonly version: number;
  /** What it is made of, each event once. */
  readonly on: readonly Projects<T>[];
  /**
   * What a record without a value does to the row that has its record's key as its own: nothing (default), or
   * deletes it, as compacted topics mean it. Only for topics of which the view takes a single event, or
   * whose tombstones have an `event-type`: of others nobody knows what they are.
   */
  readonly tombstones?: 'ignore' | 'delete';
}

/** A declared view with rows `T`: what `MaterialisedViews.of` takes. */
export interface ViewDefinition<T = unknown> extends Required<ViewOptions<T>> {
  readonly [MADE_AS]: 'view';
}

/**
 * Says what an event does to a view.
 *
 * @throws InvalidDefinitionError when `source` is no event, or the projection lacks a function.
 */
export function projects<S extends EventSource, T>(
  source: S,
  projection: Projection<S, T>,
): Projects<T> {
  const contract = contractOf(source);
  for (const name of ['key', 'apply'] as const) {
    if (typeof projection[name] === 'function') continue;
    throw new InvalidDefinitionError(
      `${contract.name} cannot be projected: ${name} must be a function`,
    );
  }
  const { key, apply } = projection;
  // What comes has passed the contract's validation.
  return Object.freeze({
    [MADE_AS]: 'projection' as const,
    contract,
    keyOf: (payload: unknown, event: ProjectedEvent) => key(payload as EventPayload<S>, event),
    apply: (current: T | null, payload: unknown, event: ProjectedEvent) =>
      apply(current, payload as EventPayload<S>, event),
  });
}

/**
 * Declares a materialised view: rows by key, kept up to date by events.
 *
 * @throws InvalidDefinitionError naming every problem at once.
 * @example
 * export const StockView = defineView<StockLevel>({
 *   name: 'stock-level',
 *   version: 1,
 *   on: [
 *     projects(StockReceived, {
 *       key: ({ sku }) => sku,
 *       apply: (current, { sku, quantity }) => ({ sku, available: (current?.available ?? 0) + quantity }),
 *     }),
 *   ],
 * });
 */
export function defineView<T>(options: ViewOptions<T>): ViewDefinition<T> {
  const { name, version, on, tombstones = 'ignore' } = options;
  const problems = [
    ...nameProblems(name),
    ...(Number.isSafeInteger(version) && version > 0
      ? []
      : ['version: must be a positive integer']),
    ...projectionProblems(on),
    ...(['ignore', 'delete'].includes(tombstones)
      ? []
      : ["tombstones: must be 'ignore' or 'delete'"]),
  ];
  if (problems.length > 0) {
    throw new InvalidDefinitionError(
      `the view ${name} cannot be one, ${String(problems.length)} problem(s):\n` +
        problems.map((problem) => `  - ${problem}`).join('\n'),
    );
  }
  return Object.freeze({
    [MADE_AS]: 'view' as const,
    name,
    version,
    on: Object.freeze([...on]),
    tombstones,
  });
}

/** Whether a value came from {@link defineView}. */
export function isView(value: unknown): value is ViewDefinition {
  return madeAs(value) === 'view';
}

function isProjects(value: unknown): value is Projects {
  return madeAs(value) === 'projection';
}

/** What is not frozen is a copy, perhaps with something else in it. */
function madeAs(value: unknown): unknown {
  const isObject = typeof value === 'object' && value !== null && Object.isFrozen(value);
  return isObject ? Reflect.get(value, MADE_AS) : undefined;
}

/** It becomes part of the names of consumer groups. */
function nameProblems(name: unknown): string[] {
  return typeof name === 'string' && /^[\w.-]{1,100}$/.test(name)
    ? []
    : ['name: must be 1 to 100 of the characters a-z A-Z 0-9 . _ -'];
}

function projectionProblems(on: unknown): string[] {
  if (!Array.isArray(on) || on.length === 0) return ['on: must list at least one projects(…)'];
  const given: readonly unknown[] = on;
  const problems: string[] = [];
  const seen = new Set<string>();
  for (const [index, each] of given.entries()) {
    if (!isProjects(each)) {
      problems.push(`on[${String(index)}]: must be made by projects(…)`);
      continue;
    }
    const { topic, eventType } = each.contract;
    const place = `${eventType} from "${topic}"`;
    if (seen.has(place)) problems.push(`on[${String(index)}]: ${place} is projected twice`);
    seen.add(place);
  }
  return problems;
}
