import { expect, it } from '@jest/globals';

import { TestProcess } from '../support/child-process.js';
import { describeEachKafka } from '../support/each-kafka.js';

const PATIENCE_MS = 120_000;

describeEachKafka('npm run demo', (brokers) => {
  function runDemo(...args: string[]): TestProcess {
    const env = { KAFKA_BROKERS: brokers.join(',') };
    return TestProcess.start('sample-app/demo/demo.ts', { args, env });
  }

  it(
    'counts in the topics what its story promised',
    async () => {
      const demo = runDemo();

      await demo.waitForLine(/^All \d+ counts agree/, PATIENCE_MS);

      expect(demo.lines.filter((line) => line.endsWith(' OFF'))).toEqual([]);
      expect(demo.lines.filter((line) => line.endsWith(' ok')).length).toBeGreaterThan(35);
      expect(demo.errors).toEqual([]);
      expect(await demo.waitForExit()).toBe(0);
    },
    PATIENCE_MS,
  );

  it(
    'fails, naming what is off, when a handler runs for every duplicate',
    async () => {
      const demo = runDemo('--break-dedup');

      expect(await demo.waitForExit()).toBe(1);

      expect(demo.lines.filter((line) => line.startsWith('OFF  '))).toEqual([
        'OFF  stock: reservations in the ledger: expected 1130, counted 1180',
        'OFF  stock: orders reserved exactly once: expected 1130, counted 1080',
        'OFF  stock: reservations in the topic: expected 1130, counted 1180',
        'OFF  stock: StockReserved exactly once: expected 1130, counted 1080',
      ]);
    },
    PATIENCE_MS,
  );
});

it(
  'needs Node and nothing else where no Kafka is named',
  async () => {
    const demo = TestProcess.start('sample-app/demo/demo.ts', {
      env: { KAFKA_BROKERS: '', PATH: '' },
    });
    await demo.waitForLine(/breaker .* is closed again/, PATIENCE_MS);
    await demo.waitForLine(/^All \d+ counts agree/, PATIENCE_MS);
    expect(await demo.waitForExit()).toBe(0);
    // This Kafka is the demo's own, and was away for a while.
    expect(demo.lines.filter((line) => /^ {2}outage: .* ok$/.test(line))).toHaveLength(2);
  },
  PATIENCE_MS,
);

it(
  'fails when the system behind the adapter takes no notice of idempotency keys',
  async () => {
    const demo = TestProcess.start('sample-app/demo/demo.ts', {
      args: ['--break-keys'],
      env: { KAFKA_BROKERS: '' },
    });

    expect(await demo.waitForExit()).toBe(1);

    // Of fifty answers one is lost, and the order is booked again.
    expect(demo.lines.filter((line) => line.startsWith('OFF  '))).toEqual([
      'OFF  ERP: bookings: expected 1130, counted 1152',
      'OFF  ERP: orders booked exactly once: expected 1130, counted 1108',
    ]);
  },
  PATIENCE_MS,
);

it('says where it found no Kafka', async () => {
  const demo = TestProcess.start('sample-app/demo/demo.ts', {
    env: { KAFKA_BROKERS: '127.0.0.1:1' },
  });
  expect(await demo.waitForExit()).toBe(2);
  expect(demo.errors.join('\n')).toMatch(
    /could not run: no Kafka answers at 127.0.0.1:1.*leave it out/,
  );
});
