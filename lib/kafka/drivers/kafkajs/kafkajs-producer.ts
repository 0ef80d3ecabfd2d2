import { setTimeout as sleep } from 'node:timers/promises';
import {
  CompressionTypes,
  type ICustomPartitioner,
  type IHeaders,
  type Message,
  type Producer,
  type RecordMetadata,
} from 'kafkajs';
import { DriverError } from '../../../kafka-events.errors.js';
import type { ConnectionSettings } from '../../connection.js';
import type { DriverLog, ProducerDriver, RecordPosition } from '../../driver.js';
import { partitionOfKey } from '../../partitioner.js';
import { partitionName, type OutRecord } from '../../records.js';
import { KafkaJsAdmin } from './kafkajs-admin.js';
import { createKafkaJsClient, retryOptions, type KafkaJsClient } from './kafkajs-client.js';
import { toDriverError } from './kafkajs-errors.js';
import { toKafkaJsHeaders } from './kafkajs-headers.js';
import { withinMs } from '../../../contracts/within.js';

const CLOSE_DEADLINE_MS = 5000;
/** A topic made a moment ago may take this long to be known to every broker. */
const LOOKUP_DELAYS_MS = [0, 100, 400];

/**
 * An idempotent kafkajs producer for one topic, connected by its first send.
 *
 * kafkajs rolls back the sequence numbers of a failed request and gives them to the next one, which
 * the broker may then take for a duplicate and drop: so the caller closes it after any failure.
 */
export class KafkaJsProducer implements ProducerDriver {
  private readonly client: KafkaJsClient;
  private readonly producer: Producer;
  private readonly known = new Set<string>();
  private connected: Promise<void> | null = null;
  private closed = false;
  private turn = Math.floor(Math.random() * 1000);

  constructor(
    private readonly connection: ConnectionSettings,
    private readonly log: DriverLog,
  ) {
    this.client = createKafkaJsClient(connection, log);
    this.producer = this.client.kafka.producer({
      idempotent: true,
      maxInFlightRequests: 1,
      allowAutoTopicCreation: false,
      createPartitioner: choosePartition,
      retry: retryOptions(connection),
    });
  }

  async send(topic: string, records: readonly OutRecord[]): Promise<readonly RecordPosition[]> {
    this.requireOpen();
    if (records.length === 0) return [];
    const turn = this.turn++;
    const messages = records.map((record) => new OutMessage(record, turn));
    try {
      await (this.connected ??= this.producer.connect());
      await this.requireTopic(topic);
      this.requireOpen();
      const acknowledged = await this.producer.send({
        topic,
        messages,
        acks: -1,
        timeout: this.connection.requestTimeoutMs,
        compression: CompressionTypes.GZIP,
      });
      return positionsOf(topic, messages, acknowledged);
    } catch (error) {
      this.requireOpen(error);
      throw toDriverError(error, `sending to "${topic}"`, 'producer');
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await withinMs(this.producer.disconnect(), CLOSE_DEADLINE_MS);
    this.client.abandon();
  }

  private requireOpen(cause?: unknown): void {
    if (this.closed) throw new DriverError('closed', 'the producer is closed', { cause });
  }

  // kafkajs would take a missing topic for one about to appear, and retry for seconds.
  private async requireTopic(topic: string): Promise<void> {
    if (this.known.has(topic)) return;
    const admin = new KafkaJsAdmin(this.connection, this.log);
    try {
      for (const delayMs of LOOKUP_DELAYS_MS) {
        if (delayMs > 0) await sleep(delayMs);
        if (await admin.hasTopic(topic)) {
          this.known.add(topic);
          return;
        }
      }
    } finally {
      await admin.close();
    }
    throw new DriverError('unknown-topic', `the topic "${topic}" does not exist`);
  }
}

/**
 * A record as kafkajs sends it, and its partition once chosen. kafkajs asks its partitioner again at
 * every retry: keeping the first answer, a record never moves, and we know where it went.
 */
class OutMessage implements Message {
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: IHeaders;
  readonly timestamp: string;
  private chosen: number | null;

  /** @param turn number of the send: its records without a key share a partition. */
  constructor(
    record: OutRecord,
    private readonly turn: number,
  ) {
    this.key = record.key;
    this.value = record.value;
    this.headers = toKafkaJsHeaders(record.headers);
    this.timestamp = String(record.timestamp);
    this.chosen = record.partition ?? null;
  }

  partitionAmong(partitions: number, topic: string): number {
    this.chosen ??=
      this.key === null ? this.turn % partitions : partitionOfKey(this.key, partitions);
    // kafkajs would leave such a record out, and report success.
    if (this.chosen < partitions) return this.chosen;
    const missing = partitionName({ topic, partition: this.chosen });
    throw new DriverError(
      'fatal',
      `${missing} does not exist: the topic has ${partitions} partitions`,
    );
  }

  /** Taking from `bases` the next offset of its partition. */
  positionFrom(bases: Map<number, bigint | null>, topic: string): RecordPosition {
    const partition = this.chosen ?? -1;
    const offset = bases.get(partition);
    if (offset === undefined) {
      // After a change of leaders, kafkajs may forget a partition and call the send a success.
      throw new DriverError(
        'retryable',
        `${partitionName({ topic, partition })} did not acknowledge`,
      );
    }
    bases.set(partition, offset === null ? null : offset + 1n);
    return { partition, offset };
  }
}

const choosePartition: ICustomPartitioner =
  () =>
  ({ topic, partitionMetadata, message }) => {
    if (message instanceof OutMessage)
      return message.partitionAmong(partitionMetadata.length, topic);
    throw new TypeError('the driver sends no other messages');
  };

function positionsOf(
  topic: string,
  messages: readonly OutMessage[],
  acknowledged: readonly RecordMetadata[],
): RecordPosition[] {
  const bases = new Map(
    acknowledged.map(({ partition, baseOffset }) => [partition, knownOffset(baseOffset)]),
  );
  return messages.map((message) => message.positionFrom(bases, topic));
}

// The broker answers -1 for a batch that it has stored before.
function knownOffset(baseOffset: string | undefined): bigint | null {
  const offset = BigInt(baseOffset ?? -1);
  return offset < 0n ? null : offset;
}
