import { redacted } from '../failure/redact.js';
import type { GroupHealth, PartitionHealth } from '../observability/health-report.js';
import { nameOfTarget } from '../observability/observer.js';
import type { HeldTarget } from './consumer-control.js';
import type { GroupConsumer } from './group-consumer.js';
import type { OwnedPartition } from './owned-partition.js';

/** A group's state as health reports it. */
export function groupHealth(
  consumer: GroupConsumer,
  paused: readonly HeldTarget[],
  redact: (text: string) => string,
  now: number,
): GroupHealth {
  const { groupId, state, error, partitions, handlers, failedCommits } = consumer;
  const { outages, unavailableTopics, heldKeys } = consumer;
  return {
    groupId,
    state,
    error: redacted(error, redact),
    failedCommits,
    handlers: handlers.map(({ id, concurrency, adaptive, slots }) => ({
      handlerId: id,
      concurrency,
      adaptive: adaptive !== null,
      running: slots.inUse,
    })),
    outages: outages.map((outage) => ({
      handlerId: outage.handlerId,
      error: redact(outage.error.message),
      heldMs: now - outage.since,
    })),
    unavailableTopics: [...unavailableTopics].map(([topic, { message }]) => ({
      topic,
      error: redact(message),
    })),
    heldKeys: heldKeys.map(({ handlerId, topic, partition, offset, key, since }) => ({
      ...{ handlerId, topic, partition, offset: offset.toString(), key: key.toString() },
      heldMs: now - since,
    })),
    paused: paused.map(({ target, heldMs }) => ({ what: nameOfTarget(target), heldMs })),
    partitions: partitions.map((owned) => partitionHealth(owned, redact)),
  };
}

function partitionHealth(
  { topic, partition, tracker, committed, paused, fetchError }: OwnedPartition,
  redact: (text: string) => string,
): PartitionHealth {
  return {
    topic,
    partition,
    watermark: tracker.watermark?.toString() ?? null,
    committed: committed?.toString() ?? null,
    span: tracker.span,
    paused,
    fetchError: redacted(fetchError, redact),
  };
}
