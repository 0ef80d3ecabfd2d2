import type { EventContract } from '../contracts/event-contract.js';
import { topicsOf } from './event-handler.js';
import type { HandlerSettings } from './handler-options.js';

/** A handler with the place it is declared at, for people: `OrdersHandler.reserve (OrdersModule)`. */
export interface PlacedHandler {
  readonly place: string;
  readonly settings: HandlerSettings;
  readonly contracts: readonly EventContract[];
  /** Set where it takes a physical topic whole. */
  readonly wholeTopic?: { readonly topic: string };
}

/** An id stands for a handler in claims and dead letters, so no two may share one. */
export function duplicateIds(handlers: readonly { id: string; place: string }[]): string[] {
  return groupsOf(handlers, ({ id }) => id).flatMap(([id, sharing]) => {
    if (sharing.length < 2) return [];
    const places = [...new Set(sharing.map(({ place }) => place))];
    return places.length === 1
      ? [
          `${id}: ${String(places[0])} has ${sharing.length} handlers of this id, from decorators or ` +
            'from hosts of one class; give each decorator its own id, and provide the class once',
        ]
      : [
          `${id}: is the id of ${places.join(' and of ')}; the events would be handled ` +
            `${places.length} times. Provide the class in one module, or give the handlers ids of their own`,
        ];
  });
}

/** Records of one topic and group share their lanes, so their handlers must agree on what order means. */
export function mixedOrderings(
  handlers: readonly PlacedHandler[],
  topicName: (topic: string) => string,
): string[] {
  return perPlace(handlers, topicName).flatMap(([where, all]) => {
    const orderings = groupsOf(all, ({ settings }) => settings.ordering);
    if (orderings.length < 2) return [];
    const stated = orderings.map(
      ([ordering, using]) =>
        `'${ordering}' (${[...new Set(using.map(({ settings }) => settings.id))].join(', ')})`,
    );
    return [
      `${where}: its handlers differ in ordering: ${stated.join(' and ')}; use one, or another groupId`,
    ];
  });
}

/** Batches are made of all records of a partition, in their order: single records would pass them. */
export function mixedKinds(
  handlers: readonly PlacedHandler[],
  topicName: (topic: string) => string,
): string[] {
  return perPlace(handlers, topicName).flatMap(([where, using]) => {
    const idsOf = (batches: boolean): string =>
      [...new Set(using)]
        .map(({ settings }) => settings)
        .filter(({ batch }) => (batch !== null) === batches)
        .map(({ id }) => id)
        .join(', ');
    const [ofBatches, ofRecords] = [idsOf(true), idsOf(false)];
    return ofBatches === '' || ofRecords === ''
      ? []
      : [
          `${where}: is taken in batches (${ofBatches}) and record by record (${ofRecords}); ` +
            'give one of them another groupId',
        ];
  });
}

/** A record is decoded once for all handlers of a group, so its type must mean one definition. */
export function clashingDefinitions(
  handlers: readonly PlacedHandler[],
  topicName: (topic: string) => string,
): string[] {
  return perTopic(handlers, topicName).flatMap(([where, entries]) =>
    groupsOf(entries, ({ contract }) => contract.eventType).flatMap(([eventType, using]) => {
      const names = [...new Set(using.map(({ contract }) => contract))].map(({ name }) => name);
      return names.length < 2
        ? []
        : [
            `${where}: ${eventType} is defined ${names.length} times, by ${names.join(' and ')}; ` +
              'handle it by one definition',
          ];
    }),
  );
}

/** Overrides that would silently do nothing. */
export function unknownOverrides(
  overridden: readonly string[],
  handlers: readonly { id: string }[],
): string[] {
  const ids = new Set(handlers.map(({ id }) => id));
  return overridden
    .filter((id) => !ids.has(id))
    .map(
      (id) =>
        `handlers['${id}'] in the module's options: there is no such handler` +
        (ids.size === 0 ? '' : `; there are ${[...ids].join(', ')}`),
    );
}

/** Who takes each topic in each group. */
function perPlace(
  handlers: readonly PlacedHandler[],
  topicName: (topic: string) => string,
): [where: string, handlers: PlacedHandler[]][] {
  const placed = handlers.flatMap((handler) =>
    topicsOf(handler, topicName).map((topic) => ({ handler, topic })),
  );
  const byPlace = groupsOf(placed, ({ handler, topic }) => whereIs(topic, handler));
  return byPlace.map(([where, entries]) => [where, entries.map(({ handler }) => handler)]);
}

interface TopicEntry {
  readonly handler: PlacedHandler;
  readonly contract: EventContract;
}

function perTopic(
  handlers: readonly PlacedHandler[],
  topicName: (topic: string) => string,
): [where: string, entries: TopicEntry[]][] {
  const entries = handlers.flatMap((handler) =>
    handler.contracts.map((contract) => ({ handler, contract })),
  );
  return groupsOf(entries, ({ handler, contract }) => whereIs(topicName(contract.topic), handler));
}

function whereIs(topic: string, { settings }: PlacedHandler): string {
  return `topic "${topic}" in group "${settings.groupId}"`;
}

function groupsOf<T, K>(items: readonly T[], keyOf: (item: T) => K): [K, T[]][] {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups];
}
