import type { Cluster } from 'kafkajs';
import type { MetadataAnswer, PartialMetadata } from './partial-metadata.js';

/** Has a consumer's cluster take what there is of its metadata, see {@link PartialMetadata}. */
export function observeMetadata(cluster: Cluster, metadata: PartialMetadata): void {
  if (!hasConnections(cluster)) throw new TypeError('kafkajs 2.2.4 builds connection pools');
  const { connectionPoolBuilder: builder } = cluster;
  const build = builder.build.bind(builder);
  builder.build = async (address) => {
    const pool = await build(address);
    const send = pool.send.bind(pool);
    pool.send = (message) => send(isMetadata(message) ? readBy(metadata, message) : message);
    return pool;
  };
  const refreshIfNecessary = cluster.refreshMetadataIfNecessary.bind(cluster);
  // Asked before every fetch.
  cluster.refreshMetadataIfNecessary = async () => {
    await (metadata.isDue ? cluster.refreshMetadata() : refreshIfNecessary());
    if (metadata.takeVanished()) throw new TopicVanishedError();
  };
  skipLeaderless(cluster);
}

/** Makes kafkajs join again, by a type that it knows: it has no other reason to when a topic is gone. */
class TopicVanishedError extends Error {
  readonly type = 'UNKNOWN_TOPIC_OR_PARTITION';
  constructor() {
    super('a topic is gone: its partitions are given up');
  }
}

/** A message on its way to a broker, and how its answer is read. */
interface Message {
  readonly request: { readonly apiKey: number };
  readonly response: { readonly parse: (answer: MetadataAnswer) => Promise<unknown> };
}

/** The part of kafkajs's cluster that its types leave out. */
interface Connections {
  readonly connectionPoolBuilder: {
    build(address?: object): Promise<{ send(message: Message): Promise<unknown> }>;
  };
}

function hasConnections(cluster: Cluster): cluster is Cluster & Connections {
  return 'connectionPoolBuilder' in cluster;
}

const METADATA_KEY = 3;

function isMetadata({ request }: Message): boolean {
  return request.apiKey === METADATA_KEY;
}

function readBy(metadata: PartialMetadata, { response, ...message }: Message): Message {
  const parse = async (answer: MetadataAnswer): Promise<MetadataAnswer> => {
    await metadata.read(answer, response.parse);
    return answer;
  };
  return { ...message, response: { ...response, parse } };
}

/**
 * Where nothing was committed yet, kafkajs asks the leaders where a log begins, and fails for all
 * partitions when one has no leader. What is left out of the answer it does not fetch, and asks for
 * again before the next fetch.
 */
function skipLeaderless(cluster: Cluster): void {
  const fetchTopicsOffset = cluster.fetchTopicsOffset.bind(cluster);
  cluster.fetchTopicsOffset = async (topics) => {
    const asked = topics.map((each) => ({
      ...each,
      partitions: each.partitions.filter(({ partition }) => isLed(cluster, each.topic, partition)),
    }));
    const answered = await fetchTopicsOffset(asked);
    // It looks into the answer of each topic that it asked for.
    return topics.map(
      ({ topic }) => answered.find((each) => each.topic === topic) ?? { topic, partitions: [] },
    );
  };
}

function isLed(cluster: Cluster, topic: string, partition: number): boolean {
  const metadata = cluster.findTopicPartitionMetadata(topic);
  return metadata.some(({ partitionId, leader }) => partitionId === partition && leader >= 0);
}
