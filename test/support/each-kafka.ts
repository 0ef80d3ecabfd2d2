import { beforeAll, describe } from '@jest/globals';
import { EmbeddedKafka, type EmbeddedKafkaOptions } from '../../lib/testing/index.js';
import { onCleanup } from './cleanup.js';
import { describeRealKafka } from './real-kafka.js';

/**
 * A `describe` run twice: on an embedded broker of its own, and on the real Kafka that all
 * integration tests share. A difference between the two is a failing test.
 *
 * `brokers` is filled by the time the first hook or test runs.
 */
export function describeEachKafka(
  name: string,
  tests: (brokers: string[]) => void,
  options: EmbeddedKafkaOptions = {},
): void {
  describe(`${name} (embedded broker)`, () => {
    const brokers: string[] = [];
    beforeAll(async () => {
      const kafka = await EmbeddedKafka.start(options);
      // After the cleanups of the file's tests, which still need it.
      onCleanup(() => kafka.stop());
      brokers.push(...kafka.brokers);
    });
    tests(brokers);
  });
  describeRealKafka(`${name} (real Kafka)`, tests);
}
