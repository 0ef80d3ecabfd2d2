import type { ConnectionSettings } from '../../lib/kafka/connection.js';
import type { KafkaDriver } from '../../lib/kafka/driver.js';
import { HEADERS } from '../../lib/contracts/event-headers.js';
import type { ProducerSettings } from '../../lib/kafka-events.options.js';
import type { Signals } from '../../lib/observability/observer.js';
import { EventPublisher } from '../../lib/publishing/event-publisher.js';
import { systemClock } from '../../lib/contracts/clock.js';
import { onCleanup } from './cleanup.js';
import { endOffsets } from './event-topic.js';
import { eventually } from './eventually.js';
import { connectionTo, driverFor, GroupMember } from './kafka-driver.js';
import { uniqueName } from './unique-topic.js';

export interface TestPublisherOptions {
  readonly connection?: Partial<ConnectionSettings>;
  readonly producer?: Partial<ProducerSettings>;
  /** Puts something between the publisher and the driver. */
  readonly wrap?: (driver: KafkaDriver) => Pick<KafkaDriver, 'producer'>;
}

/** An `EventPublisher` on kafkajs, without Nest; closed after the test or file. */
export class TestPublisher {
  /** Producers thrown away, in order. */
  readonly recycled: Signals['producerRecycled'][] = [];
  readonly publisher: EventPublisher;

  /** @param topic where every event goes, whatever its definition says. */
  constructor(
    brokers: readonly string[],
    topic: string,
    { connection = {}, producer = {}, wrap = (driver) => driver }: TestPublisherOptions = {},
  ) {
    this.publisher = new EventPublisher({
      settings: {
        connect: true,
        connection: connectionTo(brokers, connection),
        topicName: () => topic,
        producer: {
          maxRecordBytes: 1024 * 1024,
          deadlineMs: 30_000,
          maxBufferedEvents: 10_000,
          maxBufferedBytes: 32 * 1024 * 1024,
          onBufferFull: 'wait',
          maxBatchRecords: 500,
          ...producer,
        },
        clock: systemClock,
      },
      driver: wrap(driverFor(brokers, connection)),
      sink: {
        emit: (name, signal) => {
          if (name === 'producerRecycled') {
            this.recycled.push(signal as Signals['producerRecycled']);
          }
        },
      },
    });
    onCleanup(() => this.publisher.close(0));
  }
}

/** The event ids that a topic holds, in the order of each partition. */
export async function eventIdsIn(brokers: string[], topic: string): Promise<string[]> {
  const ends = await endOffsets(brokers, topic);
  const count = ends.reduce((sum, end) => sum + end, 0);
  const groupId = uniqueName('reader');
  const member = await new GroupMember(driverFor(brokers), { groupId, topics: [topic] }).start();
  const records = () => member.batches.flatMap((batch) => batch.records);
  await eventually(() => records().length >= count, { message: `${count} records of ${topic}` });
  return records().map((record) => String(record.lastHeader(HEADERS.eventId)));
}
