import { eventually } from './eventually.js';
import { createTopic, type TopicOptions } from './unique-topic.js';
import { WireClient } from './wire-client.js';

export interface ProduceOptions {
  readonly partition?: number;
  readonly acks?: number;
  readonly transactionalId?: string;
  readonly producerId?: string;
  readonly producerEpoch?: number;
  readonly firstSequence?: number;
  readonly timestamp?: number;
}

export interface Produced {
  readonly errorCode: number;
  readonly baseOffset: string;
}

export interface FetchOptions {
  readonly partition?: number;
  readonly maxWaitTime?: number;
  readonly minBytes?: number;
  readonly maxBytes?: number;
  readonly isolationLevel?: number;
  readonly currentLeaderEpoch?: number;
}

export interface Fetched {
  readonly errorCode: number;
  readonly highWatermark: string;
  readonly lastStableOffset: string;
  readonly abortedTransactions: readonly {
    readonly producerId: string;
    readonly firstOffset: string;
  }[];
  readonly messages: readonly {
    readonly offset: string;
    readonly value: Buffer | null;
    readonly isControlRecord: boolean;
  }[];
}

/** One topic, produced to and fetched from by single requests. */
export class WireTopic {
  private constructor(
    readonly client: WireClient,
    readonly topic: string,
  ) {}

  static async connect(brokers: readonly string[], topic: string): Promise<WireTopic> {
    return new WireTopic(await WireClient.connect(brokers), topic);
  }

  /** A new topic, as soon as its leader knows that it leads: a real one learns it after the metadata. */
  static async create(brokers: string[], options: TopicOptions = {}): Promise<WireTopic> {
    const topic = await WireTopic.connect(brokers, await createTopic(brokers, options));
    for (let partition = 0; partition < (options.partitions ?? 1); partition++) {
      await eventually(async () => (await topic.offsetAt(-1, { partition })).errorCode === 0);
    }
    return topic;
  }

  async produce(values: readonly string[], options: ProduceOptions = {}): Promise<Produced> {
    const { partition = 0, acks = -1, timestamp = Date.now(), firstSequence = 0 } = options;
    const messages = values.map((value) => ({ key: null, value, timestamp, headers: {} }));
    const { topics } = await this.client.send<{ topics: { partitions: Produced[] }[] }>('Produce', {
      acks,
      timeout: 5_000,
      transactionalId: options.transactionalId ?? null,
      ...(options.producerId === undefined ? {} : { producerId: options.producerId }),
      producerEpoch: options.producerEpoch ?? 0,
      topicData: [{ topic: this.topic, partitions: [{ partition, firstSequence, messages }] }],
    });
    return only(topics[0]?.partitions);
  }

  async fetch(fetchOffset: number | string, options: FetchOptions = {}): Promise<Fetched> {
    const { partition = 0, maxWaitTime = 100, minBytes = 1, maxBytes = 1_048_576 } = options;
    const { responses } = await this.client.send<{ responses: { partitions: Fetched[] }[] }>(
      'Fetch',
      {
        replicaId: -1,
        maxWaitTime,
        minBytes,
        maxBytes: 52_428_800,
        isolationLevel: options.isolationLevel ?? 1,
        topics: [
          {
            topic: this.topic,
            partitions: [
              {
                partition,
                currentLeaderEpoch: options.currentLeaderEpoch ?? -1,
                fetchOffset: String(fetchOffset),
                maxBytes,
              },
            ],
          },
        ],
      },
    );
    return only(responses[0]?.partitions);
  }

  /** The offset at a time; -1 for the end, -2 for the beginning. */
  async offsetAt(timestamp: number, { partition = 0, isolationLevel = 0 } = {}) {
    const { responses } = await this.client.send<{
      responses: { partitions: { errorCode: number; offset: string; timestamp: string }[] }[];
    }>('ListOffsets', {
      replicaId: -1,
      isolationLevel,
      topics: [{ topic: this.topic, partitions: [{ partition, timestamp }] }],
    });
    return only(responses[0]?.partitions);
  }
}

/** The one element there should be. */
export function only<T>(values: readonly T[] | undefined): T {
  const [value] = values ?? [];
  if (value === undefined) throw new Error('the answer says nothing of the partition');
  return value;
}
