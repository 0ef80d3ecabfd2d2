import { expect, it } from '@jest/globals';
import { lastValueFrom, of } from 'rxjs';

import { DeadLetterStep } from '../../../../lib/consuming/dead-letter-step.js';
import { systemClock } from '../../../../lib/contracts/clock.js';
import { DeadLetterWriter } from '../../../../lib/failure/dead-letter-writer.js';
import { Claims } from '../../../../lib/idempotency/claims.js';
import { MemoryIdempotencyStore } from '../../../../lib/idempotency/memory-idempotency-store.js';
import { AttemptCounts } from '../../../../lib/nest-transport/best-effort/attempt-counts.js';
import { HeartbeatWait } from '../../../../lib/nest-transport/best-effort/heartbeat-wait.js';
import { PlainCourse } from '../../../../lib/nest-transport/best-effort/plain-course.js';
import { DEFAULTS } from '../../../../lib/options/defaults.js';
import { inRecord } from '../../../support/model-kafka.js';
import { rejectionOf } from '../../../support/thrown-by.js';

const PARTITION = { topic: 'orders', partition: 0 };
const NO_SIGNALS = { emit: () => undefined };

it('hands kafkajs the refused heartbeat as it is, and judges nobody for it', async () => {
  const store = new MemoryIdempotencyStore();
  store.claim([{ key: 'key', token: 'elsewhere', leaseMs: 60_000, level: 0 }]);
  const rebalancing = new Error('the group is rebalancing');
  const deadLetters: unknown[] = [];
  const writer = new DeadLetterWriter(DEFAULTS.deadLetter, (_topic, record) => {
    deadLetters.push(record);
    return Promise.resolve();
  });
  const claims = new Claims(store, {
    leaseMs: 1_000,
    owner: 'here',
    clock: systemClock,
    onStoreError: () => undefined,
  });
  const course = new PlainCourse(
    { record: inRecord({ offset: 7n }), partition: PARTITION },
    { ...PARTITION, groupId: 'g', offset: 7n, handlerId: 'h', eventId: 'e', eventType: '' },
    'key',
    new HeartbeatWait(systemClock, () => Promise.reject(rebalancing), 10, 1_000),
    {
      settings: {
        retry: { ...DEFAULTS.retry, attempts: 1 },
        idempotency: { ...DEFAULTS.idempotency, store },
        clock: systemClock,
      },
      claims,
      attempts: new AttemptCounts(),
      deadLetters: new DeadLetterStep('g', writer, NO_SIGNALS, systemClock),
      signals: NO_SIGNALS,
      random: () => 0,
    },
  );

  const next = { handle: () => of('never') };
  const error = await rejectionOf(() => lastValueFrom(course.attempt(next)));
  expect(error).toBe(rebalancing);

  await expect(course.failed(error, 'body')).rejects.toBe(rebalancing);
  expect(deadLetters).toEqual([]);
});
