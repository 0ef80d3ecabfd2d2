import { describe, expect, it } from '@jest/globals';

import { EventOutcome } from '../../../lib/consuming/event-outcome.js';
import { DEFAULT_RETRY, type RetryOptions } from '../../../lib/failure/retry-policy.js';
import { anyEvent, handlerOf, startEngine } from '../../support/engine.js';
import { append } from '../../support/engine-events.js';
import { eventually } from '../../support/eventually.js';
import { ModelPartition } from '../../support/model-kafka.js';

const Created = anyEvent('order.created');

class Hopeless extends Error {}

async function failWith(error: Error, retry: RetryOptions, outcome: EventOutcome | null = null) {
  const partition = new ModelPartition('orders', 0);
  append(partition, 'e1');
  let attempts = 0;
  const handler = handlerOf(
    'h',
    [Created],
    () => {
      attempts++;
      throw error;
    },
    { retry: { ...DEFAULT_RETRY, attempts: 3, initialDelayMs: 0, ...retry } },
  );
  const engine = await startEngine([partition], [{ ...handler, filter: () => outcome }]);
  engine.kafka.fetch(partition);
  await eventually(() => partition.committed === 1n);
  const reasons = engine.deadLetters.map(({ record }) =>
    record.headers.find(([name]) => name === 'dlq-reason')?.[1]?.toString(),
  );
  return { engine, reasons, attempts };
}

describe('a handler with rules for errors', () => {
  it('gives up at once what it calls dead', async () => {
    const classify: RetryOptions['classify'] = (error) =>
      error instanceof Hopeless ? 'dead-letter' : undefined;
    expect(await failWith(new Hopeless(), { classify })).toMatchObject({
      reasons: ['non-retryable'],
      attempts: 1,
    });
    expect(await failWith(new Error('else'), { classify })).toMatchObject({ attempts: 3 });
  });

  it('tries as often as the schedule of the error says', async () => {
    const schedules = [{ when: Hopeless, attempts: 2 }];
    expect(await failWith(new Hopeless(), { schedules })).toMatchObject({
      reasons: ['retries-exhausted'],
      attempts: 2,
    });
  });

  it('reports a rule that fails, and goes on without it', async () => {
    const classify = (): never => {
      throw new Error('broken');
    };
    const { engine, attempts } = await failWith(new Error('x'), { classify });
    expect(attempts).toBe(3);
    expect(engine.count('classifyFailed')).toBe(3);
  });

  it('is not asked where an exception filter has decided', async () => {
    const retry = { classify: () => 'dead-letter' as const };
    const outcome = EventOutcome.succeeded();
    expect(await failWith(new Error('x'), retry, outcome)).toMatchObject({
      reasons: [],
      attempts: 1,
    });
  });
});
