import { randomUUID } from 'node:crypto';

import type { EmbeddedKafkaOptions } from './embedded-kafka/embedded-kafka-options.js';
import { EmbeddedKafka } from './embedded-kafka/embedded-kafka.js';

export interface TestKafkaOptions {
  /**
   * `host:port` of a real Kafka to use instead. Environment: `KAFKA_EVENTS_TEST_BROKERS`,
   * comma-separated. Default: a broker in this process.
   */
  readonly brokers?: readonly string[] | undefined;
  /** Of the broker in this process, if it comes to that: for example several nodes, or a manual clock. */
  readonly embedded?: EmbeddedKafkaOptions | undefined;
}

/**
 * The Kafka that tests run on: a broker in this process, or a real one, that others may use as well.
 *
 * On a real one every `TestKafka` has topics and groups of its own, by a prefix to their names, so
 * that no test sees what another one left. They stay there when it is stopped.
 */
export class TestKafka {
  private constructor(
    readonly brokers: readonly string[],
    /** The broker in this process, with its faults; null on a real one. */
    readonly embedded: EmbeddedKafka | null,
    private readonly prefix: string,
  ) {}

  static async start({
    brokers = brokersFrom(process.env),
    embedded: options = {},
  }: TestKafkaOptions = {}): Promise<TestKafka> {
    if (brokers.length > 0) {
      return new TestKafka(brokers, null, `test-${randomUUID().slice(0, 8)}-`);
    }
    const embedded = await EmbeddedKafka.start(options);
    // Nest closes nothing of an application that fails to boot: the test runner must not hang for it.
    embedded.unref();
    return new TestKafka(embedded.brokers, embedded, '');
  }

  /** What a topic or group of the application is called on the broker, for clients of the test's own. */
  nameOf(topicOrGroup: string): string {
    return topicOrGroup.startsWith(this.prefix) ? topicOrGroup : this.prefix + topicOrGroup;
  }

  /** Stops the broker in this process; may be called twice. */
  async stop(): Promise<void> {
    await this.embedded?.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}

function brokersFrom({
  KAFKA_EVENTS_TEST_BROKERS: list = '',
}: NodeJS.ProcessEnv): readonly string[] {
  return list
    .split(',')
    .map((broker) => broker.trim())
    .filter((broker) => broker !== '');
}
