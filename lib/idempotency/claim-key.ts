import type { EventEnvelope } from '../contracts/event-envelope.js';

/** Never part of a Kafka name or a header's text, so that parts cannot run into each other. */
const SEPARATOR = '\u0000';

/** What a claim is for, beside the event: fixed for one handler and one event type of one topic. */
export interface ClaimScope {
  readonly groupId: string;
  readonly handlerId: string;
  readonly eventType: string;
  /** The topic the event was first published to. */
  readonly topic: string;
  /** True where event ids are unique only within a partition. */
  readonly byPartition: boolean;
}

/** The part of a claim's key that records of one scope share. */
export function claimKeyPrefix({ groupId, handlerId, eventType, topic }: ClaimScope): string {
  return [groupId, handlerId, eventType, topic, ''].join(SEPARATOR);
}

/** The key of one event's claim: prefix, CloudEvents source, partition if it counts, event id. */
export function claimKey(prefix: string, envelope: EventEnvelope, byPartition: boolean): string {
  const partition = byPartition ? String(envelope.partition) : '';
  return prefix + (envelope.source ?? '') + SEPARATOR + partition + SEPARATOR + envelope.eventId;
}
