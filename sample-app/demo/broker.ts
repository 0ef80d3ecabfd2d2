import { KafkaBroker } from '../../test/support/kafka-broker.js';

export interface DemoBroker {
  readonly brokers: string[];
  stop(): Promise<void>;
}

/**
 * The Kafka that `KAFKA_BROKERS` names, or else one started for this run.
 *
 * Throws, saying what to install, when there is none to be had.
 */
export async function findBroker(): Promise<DemoBroker> {
  const { KAFKA_BROKERS } = process.env;
  if (KAFKA_BROKERS !== undefined && KAFKA_BROKERS !== '') {
    console.log(`  broker      ${KAFKA_BROKERS}, from KAFKA_BROKERS`);
    return { brokers: KAFKA_BROKERS.split(','), stop: () => Promise.resolve() };
  }
  console.log('  broker      starting Apache Kafka (the first time, Maven downloads it)');
  try {
    return await KafkaBroker.start();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(
      `${reason}. Install it (Debian: openjdk-17-jre-headless maven), ` +
        'or set KAFKA_BROKERS to the host:port of a Kafka without TLS',
      { cause: error },
    );
  }
}
