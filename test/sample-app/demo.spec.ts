import { expect, it } from '@jest/globals';

import { TestProcess } from '../support/child-process.js';
import { describeRealKafka } from '../support/real-kafka.js';

const PATIENCE_MS = 60_000;

describeRealKafka('npm run demo', (brokers) => {
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
      expect(demo.lines.filter((line) => line.endsWith(' ok')).length).toBeGreaterThan(15);
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
        'OFF  stock: reservations in the ledger: expected 1020, counted 1070',
        'OFF  stock: orders reserved exactly once: expected 1020, counted 970',
        'OFF  stock: records in the topic: expected 1020, counted 1070',
        'OFF  stock: StockReserved exactly once: expected 1020, counted 970',
      ]);
    },
    PATIENCE_MS,
  );
});

it('says what is missing where it cannot run', async () => {
  const demo = TestProcess.start('sample-app/demo/demo.ts', {
    env: { KAFKA_BROKERS: '', PATH: '' },
  });

  expect(await demo.waitForExit()).toBe(2);

  expect(demo.errors.join('\n')).toMatch(/could not run: .*Java 17.*KAFKA_BROKERS/);
});
