import type { EventEnvelope } from '../contracts/event-envelope.js';

/** Never part of a Kafka name, and escaped nowhere else: parts cannot run into each other. */
const SEPARATOR = '\u0000';

/** Types remembered per topic: a handler of a whole topic meets whatever is written there. */
const MAX_TYPES = 1_000;

/** What a handler's claims depend on beside the event. */
export interface ClaimScope {
  /** The handler's oldest id. */
  readonly claimedAs: string;
  /** Null: the handler takes no claims, but what it publishes is named after its key all the same. */
  readonly idempotency: { readonly scope: 'event' | 'partition' } | null;
}

/**
 * Names claims: group, handler, event type, **original** topic, CloudEvents source if any, partition
 * where event ids are unique only within one, event id.
 */
export class ClaimKeys {
  /** By handler, then topic, then event type. */
  readonly #prefixes = new Map<string, Map<string, Map<string, Prefix>>>();

  constructor(private readonly groupId: string) {}

  keyOf(
    envelope: EventEnvelope,
    eventType: string,
    { claimedAs, idempotency }: ClaimScope,
  ): string {
    const prefix = this.#prefix(claimedAs, envelope.topic, eventType);
    const { source } = envelope;
    const perPartition = idempotency?.scope === 'partition';
    // As most have it, in one step: long texts put together from many are costly to look up.
    if (source === null && !perPartition) return prefix.ofPlainIds + envelope.eventId;
    const partition = perPartition ? String(envelope.partition) : '';
    return prefix.text + [source ?? '', partition, envelope.eventId].join(SEPARATOR);
  }

  #prefix(handlerId: string, topic: string, eventType: string): Prefix {
    const byTopic = inner(this.#prefixes, handlerId);
    const byType = inner(byTopic, topic);
    let prefix = byType.get(eventType);
    if (prefix === undefined) {
      const text = [this.groupId, handlerId, eventType, topic, ''].join(SEPARATOR);
      prefix = { text, ofPlainIds: text + SEPARATOR + SEPARATOR };
      if (byType.size < MAX_TYPES) byType.set(eventType, prefix);
    }
    return prefix;
  }
}

/** What all records of one route share, and the same for ids without source and partition. */
interface Prefix {
  readonly text: string;
  readonly ofPlainIds: string;
}

function inner<K, V>(outer: Map<K, Map<string, V>>, key: K): Map<string, V> {
  let found = outer.get(key);
  if (found === undefined) {
    found = new Map();
    outer.set(key, found);
  }
  return found;
}
