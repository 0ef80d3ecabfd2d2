import { EmbeddedKafka } from 'nestjs-kafka-events/testing';

export interface DemoBroker {
  readonly brokers: string[];
  stop(): Promise<void>;
}

/** The Kafka that `KAFKA_BROKERS` names, or else one in this process. */
export async function findBroker(): Promise<DemoBroker> {
  const { KAFKA_BROKERS } = process.env;
  if (KAFKA_BROKERS !== undefined && KAFKA_BROKERS !== '') {
    console.log(`  broker      ${KAFKA_BROKERS}, from KAFKA_BROKERS`);
    return { brokers: KAFKA_BROKERS.split(','), stop: () => Promise.resolve() };
  }
  const kafka = await EmbeddedKafka.start();
  const brokers = kafka.brokers.join(',');
  console.log(`  broker      ${brokers}, embedded (KAFKA_BROKERS=host:port for another)`);
  return kafka;
}
