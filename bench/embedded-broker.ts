/** An embedded Kafka in a process of its own: prints its addresses, ends with its stdin. */
import { EmbeddedKafka } from 'nestjs-kafka-events/testing';

const kafka = await EmbeddedKafka.start();
process.stdout.write(`${JSON.stringify(kafka.brokers)}\n`);
process.stdin.resume();
process.stdin.once('end', () => void kafka.stop());
