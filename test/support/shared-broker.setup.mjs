/**
 * Before the first integration test: finds the Kafka that all of them share and tells them its
 * address (`real-kafka.ts` reads it). Without one they are skipped, unless
 * `REQUIRE_REAL_SERVICES=1` forbids that.
 */
import '@swc-node/register/esm-register';

export default async function startSharedBroker() {
  const { env } = process;
  if (env.KAFKA_BROKERS) {
    env.SHARED_KAFKA_BROKERS = env.KAFKA_BROKERS;
    // The library reads this variable too: no test should be configured by accident.
    delete env.KAFKA_BROKERS;
    return;
  }
  const { KafkaBroker } = await import('./kafka-broker.ts');
  try {
    globalThis.sharedKafkaBroker = await KafkaBroker.start();
    env.SHARED_KAFKA_BROKERS = globalThis.sharedKafkaBroker.brokers.join(',');
  } catch (error) {
    if (env.REQUIRE_REAL_SERVICES === '1') throw error;
    env.SHARED_KAFKA_MISSING = error.message;
    process.stderr.write(
      `\nTests against a real Kafka are skipped. ${error.message}.\n` +
        'Install it (Debian: openjdk-17-jre-headless maven), or set KAFKA_BROKERS to a broker for tests.\n\n',
    );
  }
}
