import { randomUUID } from 'node:crypto';

import type { ProcessSurroundings } from '../consuming/build-group.js';
import { safeRedactor } from '../failure/redact.js';
import { OutboxRelay } from './outbox-relay.js';

/** Makes what publishes the application's outbox; null where it has none. Connects to nothing. */
export function relayOf({ settings, driver, signals }: ProcessSurroundings): OutboxRelay | null {
  const { outbox, clock, producer, connection, deadLetter } = settings;
  if (outbox === null) return null;
  return new OutboxRelay({
    ...{ settings: outbox, driver, clock, sink: signals },
    random: Math.random,
    redact: safeRedactor(deadLetter.redact),
    owner: randomUUID(),
    maxBatchRecords: producer.maxBatchRecords,
    requestTimeoutMs: connection.requestTimeoutMs,
  });
}
