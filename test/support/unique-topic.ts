import { randomUUID } from 'node:crypto';
import { Kafka, logLevel, type Admin } from 'kafkajs';
import { onCleanup } from './cleanup.js';
import { eventually } from './eventually.js';

export interface TopicOptions {
  /** For names derived from another, such as `<topic>.dlq`. @default a unique one */
  readonly name?: string;
  /** @default 1 */
  readonly partitions?: number;
  /** Topic settings such as `max.message.bytes`. */
  readonly config?: Readonly<Record<string, string>>;
}

/** A name nobody else uses: tests share a broker and must not share topics, groups or ids. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`;
}

/** Creates a topic and answers its name; it is deleted again after the test or file. */
export async function createTopic(
  brokers: string[],
  { name: topic = uniqueName('topic'), partitions = 1, config = {} }: TopicOptions = {},
): Promise<string> {
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }));
  await withAdmin(brokers, async (admin) => {
    const topics = [{ topic, numPartitions: partitions, configEntries }];
    // kafkajs's own waiting fails in the moment in which a busy broker has not heard of the topic.
    await admin.createTopics({ topics, waitForLeaders: false });
    onCleanup(() => withAdmin(brokers, (closing) => closing.deleteTopics({ topics: [topic] })));
    await eventually(() => isReady(admin, topic, partitions), {
      message: `leaders of the new topic ${topic}`,
    });
  });
  return topic;
}

/** A busy broker names leaders a moment before they answer; a fetch then would start a rebalance. */
async function isReady(admin: Admin, topic: string, partitions: number): Promise<boolean> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
  const leaders = topics[0]?.partitions.filter(({ leader }) => leader >= 0) ?? [];
  return leaders.length === partitions && (await answers(admin, topic));
}

async function answers(admin: Admin, topic: string): Promise<boolean> {
  try {
    await admin.fetchTopicOffsets(topic);
    return true;
  } catch {
    return false;
  }
}

/** Lends `use` a connected kafkajs admin client. */
export async function withAdmin<T>(
  brokers: string[],
  use: (admin: Admin) => Promise<T>,
): Promise<T> {
  const admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  try {
    return await use(admin);
  } finally {
    await admin.disconnect();
  }
}
