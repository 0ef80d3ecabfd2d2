import type {
  AdminDriver,
  CommitItem,
  ConsumerConfig,
  ConsumerDriver,
  ConsumerHooks,
  KafkaDriver,
  ProducerDriver,
  RecordPosition,
} from '../kafka/driver.js';
import type { OutRecord, RecordBatch, TopicPartition } from '../kafka/records.js';

/** What is told of the records that pass a tapped driver, each time before the engine is. */
export interface DriverTap {
  /** Records about to be handled by a group. */
  fetched(groupId: string, batch: RecordBatch): void;
  /** What a group has dealt with. */
  committed(groupId: string, items: readonly CommitItem[]): void;
  /** Records that the broker has acknowledged. */
  sent(topic: string, records: readonly OutRecord[]): void;
}

export interface TappedDriverOptions {
  readonly tap: DriverTap;
  /** The name of a group on the broker, where the engine knows it by another. */
  readonly groupName: (groupId: string) => string;
  /** Partitions of a topic that is created by the first record sent to it; null: none is created. */
  readonly createPartitions: number | null;
}

/** Another driver, observed: records pass unchanged. */
export class TappedDriver implements KafkaDriver {
  readonly name: string;
  readonly #created = new Map<string, Promise<void>>();

  constructor(
    private readonly inner: KafkaDriver,
    private readonly options: TappedDriverOptions,
  ) {
    this.name = inner.name;
  }

  consumer(config: ConsumerConfig): ConsumerDriver {
    const { tap, groupName } = this.options;
    const named = { ...config, groupId: groupName(config.groupId) };
    return new TappedConsumer(this.inner.consumer(named), config.groupId, tap);
  }

  producer(): ProducerDriver {
    const producer = this.inner.producer();
    return {
      send: async (topic, records) => {
        await this.#ensureTopic(topic);
        const positions: readonly RecordPosition[] = await producer.send(topic, records);
        this.options.tap.sent(topic, records);
        return positions;
      },
      close: () => producer.close(),
    };
  }

  admin(): AdminDriver {
    const admin = this.inner.admin();
    const { groupName } = this.options;
    return {
      describeTopics: (topics) => admin.describeTopics(topics),
      createTopics: (specs) => admin.createTopics(specs),
      groupLag: (groupId, topics) => admin.groupLag(groupName(groupId), topics),
      close: () => admin.close(),
    };
  }

  /** Topics that handlers need are created at boot; those that are only published to are not. */
  async #ensureTopic(topic: string): Promise<void> {
    const { createPartitions } = this.options;
    if (createPartitions === null) return;
    const creating = this.#created.get(topic) ?? this.#create(topic, createPartitions);
    this.#created.set(topic, creating);
    try {
      await creating;
    } catch (error) {
      this.#created.delete(topic);
      throw error;
    }
  }

  async #create(topic: string, partitions: number): Promise<void> {
    const admin = this.inner.admin();
    try {
      await admin.createTopics([{ topic, partitions }]);
    } finally {
      await admin.close();
    }
  }
}

class TappedConsumer implements ConsumerDriver {
  constructor(
    private readonly inner: ConsumerDriver,
    private readonly groupId: string,
    private readonly tap: DriverTap,
  ) {}

  start(hooks: ConsumerHooks): Promise<void> {
    return this.inner.start({
      onAssigned: (gained, kept) => {
        hooks.onAssigned(gained, kept);
      },
      onRecords: (batch) => {
        this.tap.fetched(this.groupId, batch);
        hooks.onRecords(batch);
      },
      onRevoking: (owned, deadlineMs) => hooks.onRevoking(owned, deadlineMs),
      onLost: (lost) => {
        hooks.onLost(lost);
      },
      onState: (state, cause) => {
        hooks.onState(state, cause);
      },
      onMembers: (count) => {
        hooks.onMembers(count);
      },
      onOffsetOutOfRange: (partition) => {
        hooks.onOffsetOutOfRange(partition);
      },
      onFetchFailed: (partition, error) => {
        hooks.onFetchFailed(partition, error);
      },
      onTopicUnavailable: (topic, error) => {
        hooks.onTopicUnavailable(topic, error);
      },
      onTopicAvailable: (topic) => {
        hooks.onTopicAvailable(topic);
      },
    });
  }

  async commit(items: readonly CommitItem[]): Promise<readonly CommitItem[]> {
    const committed = await this.inner.commit(items);
    this.tap.committed(this.groupId, committed);
    return committed;
  }

  pause(partition: TopicPartition): void {
    this.inner.pause(partition);
  }
  resume(partition: TopicPartition): void {
    this.inner.resume(partition);
  }
  quiesce(): void {
    this.inner.quiesce();
  }
  stop(deadlineMs: number): Promise<void> {
    return this.inner.stop(deadlineMs);
  }
}
