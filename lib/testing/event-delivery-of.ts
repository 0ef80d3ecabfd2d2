import { randomUUID } from 'node:crypto';

import type { EventDelivery } from '../consuming/consumed-event.js';
import { systemClock } from '../contracts/clock.js';
import { EventEnvelope } from '../contracts/event-envelope.js';
import { contractOf, type EventSource, type PublishPayload } from '../contracts/event-source.js';
import { ClaimKeys } from '../idempotency/claim-keys.js';
import type { IdempotencyStore } from '../idempotency/idempotency-store.js';
import type { ClaimHolder } from '../idempotency/joined-claim.js';
import { DEFAULTS } from '../options/defaults.js';
import { EventEncoder } from '../publishing/event-encoder.js';
import type { EventSink, PublishOptions } from '../publishing/publish-options.js';
import { FakeEventPublisher } from './fake-event-publisher.js';
import { inRecordOf } from './in-record-of.js';

export interface EventContextOptions extends Omit<PublishOptions, 'deadlineMs'> {
  /** Which attempt this is. Default 1, the first. */
  readonly attempt?: number;
  /** Default 0. */
  readonly partition?: number;
  /** Default 0. */
  readonly offset?: bigint | number;
  /** Default `Handler.handle`. */
  readonly handlerId?: string;
  /** Where `publish` of the context goes. Default: a `FakeEventPublisher` of its own. */
  readonly publisher?: EventSink;
  /**
   * Where the event is claimed, as the engine does before the handler runs: for handlers that complete
   * their claim in a transaction of their own. Default: nowhere.
   */
  readonly store?: IdempotencyStore;
}

/** An event as the engine would deliver it, had it been published like that. */
export async function eventDeliveryOf<S extends EventSource>(
  source: S,
  payload: PublishPayload<S>,
  options: EventContextOptions,
): Promise<EventDelivery> {
  const {
    attempt = 1,
    partition = 0,
    offset = 0,
    handlerId = 'Handler.handle',
    publisher = new FakeEventPublisher(),
    store,
    ...ofPublish
  } = options;
  const contract = contractOf(source);
  const encoder = new EventEncoder({
    topicName: DEFAULTS.topicName,
    maxRecordBytes: DEFAULTS.producer.maxRecordBytes,
    defaultDeadlineMs: DEFAULTS.producer.deadlineMs,
    clock: systemClock,
    newEventId: randomUUID,
  });
  const identity = encoder.identify(contract, ofPublish);
  const { record } = await encoder.encode(identity, contract, payload, ofPublish);
  const at = { topic: identity.topic, partition };
  const envelope = new EventEnvelope(at, inRecordOf(record, BigInt(offset)));
  const scope = { claimedAs: handlerId, idempotency: null };
  const key = new ClaimKeys('test').keyOf(envelope, contract.eventType, scope);
  const delivery = { envelope, handlerId, key, attempt, sink: publisher };
  return store === undefined ? delivery : { ...delivery, holder: await claimIn(store, key) };
}

async function claimIn(store: IdempotencyStore, key: string): Promise<ClaimHolder> {
  const token = randomUUID();
  const { windowMs: retentionMs } = DEFAULTS.idempotency;
  const leaseMs = DEFAULTS.group.sessionTimeoutMs;
  const [answer] = await store.claim([{ key, token, leaseMs, level: 0, retentionMs }]);
  const claim = { store, key, token, level: 0, retentionMs };
  return { joinClaim: () => (answer?.status === 'claimed' ? claim : null) };
}
