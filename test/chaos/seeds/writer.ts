import { HEADERS } from '../../../lib/contracts/event-headers.js';
import type { KafkaDriver, ProducerDriver } from '../../../lib/kafka/driver.js';
import type { OutRecord } from '../../../lib/kafka/records.js';
import type { Brokers } from './brokers.js';
import type { PlannedRecord } from './planned-record.js';
import { TOPIC } from './topics.js';

/** Who writes the records: one after the other and each once, as far as it can be told. */
export class Writer {
  #producer: ProducerDriver | null = null;
  #writing: Promise<void> = Promise.resolve();
  /** Records that were not written yet. */
  pending = 0;

  constructor(
    private readonly driver: KafkaDriver,
    private readonly brokers: Brokers,
  ) {}

  write(records: readonly PlannedRecord[]): void {
    this.pending += records.length;
    for (const partition of new Set(records.map((record) => record.partition))) {
      const own = records.filter((record) => record.partition === partition);
      this.#writing = this.#writing.then(() => this.#send(partition, own));
    }
  }

  /** Tries until the log has grown: nobody else writes there, so it tells what has arrived. */
  async #send(partition: number, records: readonly PlannedRecord[]): Promise<void> {
    const before = this.brokers.endOf(partition);
    while (this.brokers.endOf(partition) === before) {
      this.#producer ??= this.driver.producer();
      try {
        await this.#producer.send(TOPIC, records.map(toOutRecord));
      } catch {
        void this.#producer.close();
        this.#producer = null;
      }
    }
    this.pending -= records.length;
  }
}

function toOutRecord({ id, key, partition, kind, type }: PlannedRecord): OutRecord {
  const name = kind === 'foreign' ? 'order.archived' : `order.${type}`;
  const version = kind === 'unknown-version' ? 'v9' : 'v1';
  return {
    key: Buffer.from(key),
    value: Buffer.from(kind === 'malformed' ? '{' : JSON.stringify({ id })),
    headers: [
      [HEADERS.eventId, Buffer.from(id)],
      [HEADERS.eventType, Buffer.from(`${name}.${version}`)],
    ],
    timestamp: Date.now(),
    partition,
  };
}
