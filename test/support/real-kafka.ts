import { describe } from '@jest/globals';
import { onCleanup } from './cleanup.js';
import { KafkaBroker, type KafkaBrokerOptions } from './kafka-broker.js';

/**
 * A `describe` for tests against a real Kafka, with the addresses of the broker that all
 * integration tests of a run share: topics and groups need names of their own
 * (`unique-topic.ts`). Without a broker the block is skipped and says what is missing.
 */
export function describeRealKafka(name: string, tests: (brokers: string[]) => void): void {
  const { SHARED_KAFKA_BROKERS: brokers, SHARED_KAFKA_MISSING: missing } = process.env;
  if (brokers !== undefined) {
    describe(name, () => {
      tests(brokers.split(','));
    });
  } else {
    describe.skip(`${name} (skipped: ${missing ?? 'no broker was started'})`, () => {
      tests([]);
    });
  }
}

/** A broker of the test's own, to pause, restart or configure; stopped after the test or file. */
export async function startPrivateBroker(options?: KafkaBrokerOptions): Promise<KafkaBroker> {
  const broker = await KafkaBroker.start(options);
  onCleanup(() => broker.stop());
  return broker;
}
