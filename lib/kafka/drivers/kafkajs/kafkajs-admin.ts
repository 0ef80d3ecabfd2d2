import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs, { type Admin } from 'kafkajs';
import { DriverError } from '../../../kafka-events.errors.js';
import type { ConnectionSettings } from '../../connection.js';
import type {
  AdminDriver,
  DriverLog,
  GroupLag,
  TopicDescription,
  TopicLag,
  TopicSpec,
} from '../../driver.js';
import { createKafkaJsClient, retryOptions, type KafkaJsClient } from './kafkajs-client.js';
import { isUnknownTopic, toDriverError } from './kafkajs-errors.js';
import { withinMs } from '../../../contracts/within.js';

const CLOSE_DEADLINE_MS = 5000;
const BROKER_DEFAULT = -1;
const CREATED_POLL_MS = 50;
const NONE_COMMITTED = -1n;
const MAX_MESSAGE_BYTES = 'max.message.bytes';

/** A kafkajs admin client, connected by its first request; it asks about one topic at a time. */
export class KafkaJsAdmin implements AdminDriver {
  private readonly client: KafkaJsClient;
  private readonly admin: Admin;
  private connected: Promise<void> | null = null;

  constructor(
    private readonly connection: ConnectionSettings,
    log: DriverLog,
  ) {
    this.client = createKafkaJsClient(connection, log);
    this.admin = this.client.kafka.admin({ retry: retryOptions(connection) });
  }

  async hasTopic(topic: string): Promise<boolean> {
    return (await this.partitionsOf(topic)) !== null;
  }

  async describeTopics(topics: readonly string[]): Promise<readonly TopicDescription[]> {
    const described: TopicDescription[] = [];
    for (const topic of topics) {
      const partitions = await this.partitionsOf(topic);
      if (partitions === null) continue;
      described.push({ topic, partitions, maxMessageBytes: await this.maxMessageBytesOf(topic) });
    }
    return described;
  }

  async createTopics(specs: readonly TopicSpec[]): Promise<void> {
    for (const spec of specs) {
      await this.request(`creating the topic "${spec.topic}"`, () => this.create(spec));
      await this.waitFor(spec.topic);
    }
  }

  async groupLag(groupId: string, topics: readonly string[]): Promise<GroupLag> {
    const found: TopicLag[] = [];
    for (const topic of topics) {
      // kafkajs would fail for a topic that does not exist, or have the broker create it.
      if (!(await this.hasTopic(topic))) continue;
      found.push(await this.topicLag(groupId, topic));
    }
    const members = await this.request(`describing the group "${groupId}"`, async () => {
      const { groups } = await this.admin.describeGroups([groupId]);
      return groups.find((group) => group.groupId === groupId)?.members.length ?? 0;
    });
    return { members, topics: found };
  }

  async close(): Promise<void> {
    await withinMs(this.admin.disconnect(), CLOSE_DEADLINE_MS);
    this.client.abandon();
  }

  private async topicLag(groupId: string, topic: string): Promise<TopicLag> {
    return this.request(`reading the lag of "${groupId}" in "${topic}"`, async () => {
      // Commits first: an end that is asked for afterwards is not behind them.
      const [ofGroup] = await this.admin.fetchOffsets({ groupId, topics: [topic] });
      const committed = new Map(
        ofGroup?.partitions.map(({ partition, offset }) => [partition, BigInt(offset)]),
      );
      const logs = await this.admin.fetchTopicOffsets(topic);
      const partitions = logs.map(({ partition, low, high }) => {
        const offset = committed.get(partition) ?? NONE_COMMITTED;
        return {
          partition,
          start: BigInt(low),
          end: BigInt(high),
          committed: offset === NONE_COMMITTED ? null : offset,
        };
      });
      return { topic, partitions: partitions.sort((a, b) => a.partition - b.partition) };
    });
  }

  // Of one topic alone: kafkajs then takes "exists already" for an answer.
  private async create({ topic, partitions, config = {} }: TopicSpec): Promise<void> {
    await this.admin.createTopics({
      topics: [
        {
          topic,
          numPartitions: partitions,
          replicationFactor: BROKER_DEFAULT,
          configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
        },
      ],
      // kafkajs's own waiting fails in the moment in which a broker has not heard of the topic.
      waitForLeaders: false,
      timeout: this.connection.requestTimeoutMs,
    });
  }

  private async waitFor(topic: string): Promise<void> {
    const deadline = performance.now() + this.connection.requestTimeoutMs;
    while (!(await this.hasTopic(topic))) {
      if (performance.now() > deadline) {
        throw new DriverError(
          'retryable',
          `the topic "${topic}" was created, but no broker knows it yet`,
        );
      }
      await sleep(CREATED_POLL_MS);
    }
  }

  /** Null when there is no such topic. One that is unknown fails a whole answer, so it is asked alone. */
  private async partitionsOf(topic: string): Promise<number | null> {
    return this.request(`looking up the topic "${topic}"`, async () => {
      try {
        const { topics } = await this.admin.fetchTopicMetadata({ topics: [topic] });
        return topics.find(({ name }) => name === topic)?.partitions.length ?? null;
      } catch (error) {
        if (isUnknownTopic(error)) return null;
        throw error;
      }
    });
  }

  private async maxMessageBytesOf(topic: string): Promise<number | null> {
    try {
      const { resources } = await this.admin.describeConfigs({
        includeSynonyms: false,
        resources: [
          {
            type: kafkajs.ConfigResourceTypes.TOPIC,
            name: topic,
            configNames: [MAX_MESSAGE_BYTES],
          },
        ],
      });
      const entries = resources.flatMap(({ configEntries }) => configEntries);
      const value = entries.find(({ configName }) => configName === MAX_MESSAGE_BYTES)?.configValue;
      return value === undefined ? null : Number(value);
    } catch (error) {
      const failure = toDriverError(error, `describing the topic "${topic}"`, 'producer');
      if (failure.kind === 'auth') return null;
      throw failure;
    }
  }

  private async request<T>(doing: string, send: () => Promise<T>): Promise<T> {
    try {
      await (this.connected ??= this.admin.connect());
      return await send();
    } catch (error) {
      throw toDriverError(error, doing, 'producer');
    }
  }
}
