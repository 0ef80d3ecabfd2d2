import { EmbeddedKafka } from 'nestjs-kafka-events/testing';

export interface DemoBroker {
  readonly brokers: string[];
  /** Takes it away and brings it back with all it holds; null for one that is not ours to stop. */
  readonly outage: Outage | null;
  stop(): Promise<void>;
}

export interface Outage {
  begin(): Promise<void>;
  end(): Promise<void>;
}

/** The Kafka that `KAFKA_BROKERS` names, or else one in this process. */
export async function findBroker(): Promise<DemoBroker> {
  const { KAFKA_BROKERS } = process.env;
  if (KAFKA_BROKERS !== undefined && KAFKA_BROKERS !== '') {
    console.log(`  broker      ${KAFKA_BROKERS}, from KAFKA_BROKERS`);
    return { brokers: KAFKA_BROKERS.split(','), outage: null, stop: () => Promise.resolve() };
  }
  const kafka = await EmbeddedKafka.start();
  const brokers = kafka.brokers.join(',');
  console.log(`  broker      ${brokers}, embedded (KAFKA_BROKERS=host:port for another)`);
  return {
    brokers: kafka.brokers,
    outage: { begin: () => kafka.stopBroker(0), end: () => kafka.startBroker(0) },
    stop: () => kafka.stop(),
  };
}
