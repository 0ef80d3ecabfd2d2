import type { ConnectionSettings } from '../../connection.js';
import type { DriverLog, KafkaDriver } from '../../driver.js';
import { KafkaJsAdmin } from './kafkajs-admin.js';
import { KafkaJsConsumer } from './kafkajs-consumer.js';
import { patchKafkaJs } from './kafkajs-patches.js';
import { KafkaJsProducer } from './kafkajs-producer.js';

/**
 * The driver on kafkajs 2.2.4. Creating it mends kafkajs for the process, unless the connection says
 * `patchKafkaJs: false`; nothing connects before it is used.
 */
export function kafkaJsDriver(connection: ConnectionSettings, log: DriverLog): KafkaDriver {
  patchKafkaJs(connection, log);
  return {
    name: 'kafkajs',
    consumer: (config) => new KafkaJsConsumer(config, connection, log),
    producer: () => new KafkaJsProducer(connection, log),
    admin: () => new KafkaJsAdmin(connection, log),
  };
}
