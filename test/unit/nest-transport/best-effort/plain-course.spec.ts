import { expect, it } from '@jest/globals';
import { lastValueFrom, of, Subject, throwError } from 'rxjs';

import { DeadLetterStep } from '../../../../lib/consuming/dead-letter-step.js';
import { systemClock, type Clock } from '../../../../lib/contracts/clock.js';
import { DEAD_LETTER_HEADERS } from '../../../../lib/contracts/event-headers.js';
import { DeadLetterWriter } from '../../../../lib/failure/dead-letter-writer.js';
import { redactSecrets } from '../../../../lib/failure/redact.js';
import type { RetryPolicy } from '../../../../lib/failure/retry-policy.js';
import { Claims } from '../../../../lib/idempotency/claims.js';
import { MemoryIdempotencyStore } from '../../../../lib/idempotency/memory-idempotency-store.js';
import type { OutRecord } from '../../../../lib/kafka/records.js';
import { BreakerOpenError } from '../../../../lib/kafka-events.errors.js';
import { HeartbeatWait } from '../../../../lib/nest-transport/best-effort/heartbeat-wait.js';
import { PlainCourse } from '../../../../lib/nest-transport/best-effort/plain-course.js';
import { RecordHistory } from '../../../../lib/nest-transport/best-effort/record-histories.js';
import { DEFAULTS } from '../../../../lib/options/defaults.js';
import { eventually } from '../../../support/eventually.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { inRecord } from '../../../support/model-kafka.js';
import { rejectionOf } from '../../../support/thrown-by.js';

const PARTITION = { topic: 'orders', partition: 0 };
const NO_SIGNALS = { emit: () => undefined };

interface CourseParts {
  readonly heartbeat?: () => Promise<void>;
  readonly retry?: Partial<RetryPolicy>;
  readonly store?: MemoryIdempotencyStore;
  readonly clock?: Clock;
}

/** A course over the record at offset 7 of `orders`, with the dead letters it writes. */
function courseWith({
  heartbeat = () => Promise.resolve(),
  retry = {},
  store = new MemoryIdempotencyStore(),
  clock = systemClock,
}: CourseParts) {
  const deadLetters: OutRecord[] = [];
  const writer = new DeadLetterWriter(DEFAULTS.deadLetter, (_topic, record) => {
    deadLetters.push(record);
    return Promise.resolve();
  });
  const claims = new Claims(store, {
    leaseMs: 1_000,
    owner: 'here',
    clock,
    onStoreError: () => undefined,
  });
  const course = new PlainCourse(
    { record: inRecord({ offset: 7n }), partition: PARTITION },
    { ...PARTITION, groupId: 'g', offset: 7n, handlerId: 'h', eventId: 'e', eventType: '' },
    'key',
    new RecordHistory(7n),
    new HeartbeatWait(clock, heartbeat, 10, 3_000),
    {
      settings: {
        retry: { ...DEFAULTS.retry, ...retry },
        idempotency: { ...DEFAULTS.idempotency, store },
        clock,
      },
      claims,
      leaseMs: 1_000,
      deadLetters: new DeadLetterStep('g', writer, NO_SIGNALS, clock),
      signals: NO_SIGNALS,
      random: () => 0,
      redact: redactSecrets,
    },
  );
  return { course, deadLetters };
}

it('hands kafkajs the refused heartbeat as it is, and judges nobody for it', async () => {
  const store = new MemoryIdempotencyStore();
  store.claim([{ key: 'key', token: 'elsewhere', leaseMs: 60_000, level: 0, retentionMs: 60_000 }]);
  const rebalancing = new Error('the group is rebalancing');
  const { course, deadLetters } = courseWith({
    heartbeat: () => Promise.reject(rebalancing),
    retry: { attempts: 1 },
    store,
  });

  const next = { handle: () => of('never') };
  const error = await rejectionOf(() => lastValueFrom(course.attempt(next)));
  expect(error).toBe(rebalancing);

  await expect(course.failed(error, 'body')).rejects.toBe(rebalancing);
  expect(deadLetters).toEqual([]);
});

it('says by the time of day when it failed first', async () => {
  const clock = new ManualClock();
  const { course, deadLetters } = courseWith({ clock, retry: { attempts: 1 } });
  const next = { handle: () => throwError(() => new Error('always')) };
  const error = await rejectionOf(() => lastValueFrom(course.attempt(next)));

  await course.failed(error, 'body');

  const firstFailedAt = deadLetters[0]?.headers.find(
    ([name]) => name === DEAD_LETTER_HEADERS.firstFailedAt,
  );
  expect(firstFailedAt?.[1]?.toString()).toBe(clock.wallTime().toISOString());
});

it('tells kafkajs, whose log it ends in, no secret of what the handler threw', async () => {
  const { course } = courseWith({ retry: { initialDelayMs: 60_000, jitter: 0 } });
  const thrown = new Error('login failed: password=hunter2');
  const next = { handle: () => throwError(() => thrown) };
  const error = await rejectionOf(() => lastValueFrom(course.attempt(next)));
  expect(error).toBe(thrown);

  const redelivery = await rejectionOf(() => course.failed(error, 'body'));

  expect(redelivery).toMatchObject({ name: 'RedeliveryError', cause: thrown });
  expect(redelivery.message).toContain('login failed');
  expect(redelivery.message).not.toContain('hunter2');
});

it('ends a handler that was left only when it has ended, or its lease is over', async () => {
  const store = new MemoryIdempotencyStore();
  const { course } = courseWith({ store });
  const held = () =>
    store.claim([{ key: 'key', token: 'other', leaseMs: 1, level: 0, retentionMs: 60_000 }])[0]
      ?.status;
  const answers = new Subject<unknown>();
  const listening = course.attempt({ handle: () => answers }).subscribe();
  await eventually(() => answers.observed);

  listening.unsubscribe();
  expect(answers.observed).toBe(true);
  expect(held()).toBe('in-progress');

  // Left for a whole lease it is given up, its claim renewed no more.
  await eventually(() => !answers.observed);
  await eventually(() => held() === 'claimed');
});

it('spends no attempt on a service that is not well, as the pipeline does not', async () => {
  const clock = new ManualClock();
  const call = { service: 'stock', method: 'reserve' };
  const refused = new BreakerOpenError(call, 5, null);
  const failing = [new Error('one of its own'), refused, refused, new Error('another')];
  const { course, deadLetters } = courseWith({
    retry: { attempts: 2, initialDelayMs: 1, maxDelayMs: 1, jitter: 0 },
    clock,
  });
  const next = {
    handle: () => {
      const error = failing.shift();
      return error === undefined ? of('reserved') : throwError(() => error);
    },
  };
  const error = await rejectionOf(() => lastValueFrom(course.attempt(next)));
  const ended = course.failed(error, 'body');
  await clock.advanceAsync(2_500);
  expect(await ended).toBe('reserved');
  expect(deadLetters).toEqual([]);
});

it('dead-letters what its policy gives up at once, also where a service was not called', async () => {
  const { course, deadLetters } = courseWith({ retry: { classify: () => 'dead-letter' } });
  const refused = new BreakerOpenError({ service: 'stock', method: 'reserve' }, 5, null);
  const next = { handle: () => throwError(() => refused) };
  const error = await rejectionOf(() => lastValueFrom(course.attempt(next)));
  await course.failed(error, 'body');
  expect(deadLetters).toMatchObject([
    { headers: expect.arrayContaining([['dlq-attempts', Buffer.from('1')]]) },
  ]);
});
