import { InvalidDefinitionError } from '../kafka-events.errors.js';
import type { InRecord } from '../kafka/records.js';

/** What every event says of itself, however it is declared. */
export interface EventDefinition {
  /** The kind of event without its version, for example `order.created`. */
  readonly type: string;
  /** A positive integer. Raise it for a change that old consumers cannot read. */
  readonly version: number;
  /** Kafka topic, before the module's `topicName`. */
  readonly topic: string;
  /** Answers true for records without an `event-type` header that are this event. */
  readonly match?: (record: InRecord) => boolean;
}

/** The `event-type` header of an event: `order.created.v1`. */
export function eventTypeOf({ type, version }: EventDefinition): string {
  return `${type}.v${String(version)}`;
}

/**
 * Refuses definitions that cannot work.
 *
 * @param more problems the caller found itself.
 * @throws InvalidDefinitionError naming every problem at once.
 */
export function checkDefinition(
  name: string,
  { type, version, topic }: EventDefinition,
  more: readonly string[],
): void {
  const problems = [...typeProblems(type), ...versionProblems(version), ...topicProblems(topic)];
  const all = [...problems, ...more];
  if (all.length === 0) return;
  throw new InvalidDefinitionError(
    `${name} cannot be an event, ${String(all.length)} problem(s):\n` +
      all.map((problem) => `  - ${problem}`).join('\n'),
  );
}

function typeProblems(type: unknown): string[] {
  if (typeof type !== 'string' || type.trim() === '') {
    return ['type: must be a name such as "order.created"'];
  }
  return /\.v\d+$/.test(type)
    ? [`type: "${type}" must not end in a version; leave it off and set \`version\``]
    : [];
}

function versionProblems(version: unknown): string[] {
  return Number.isSafeInteger(version) && Number(version) > 0
    ? []
    : ['version: must be a positive integer'];
}

function topicProblems(topic: unknown): string[] {
  // Kafka's own rule, org.apache.kafka.common.internals.Topic.
  const legal =
    typeof topic === 'string' &&
    /^[a-zA-Z0-9._-]{1,249}$/.test(topic) &&
    topic !== '.' &&
    topic !== '..';
  return legal
    ? []
    : ['topic: must be 1 to 249 of the characters a-z A-Z 0-9 . _ - and neither "." nor ".."'];
}
