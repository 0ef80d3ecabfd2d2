import type { Cluster } from 'kafkajs';
import { withinMs } from '../../../contracts/within.js';
import type { AbsentBrokers } from './absent-brokers.js';
import { isBrokerAway } from './kafkajs-errors.js';
import type { MetadataAnswer, PartialMetadata } from './partial-metadata.js';

/** Has a consumer's cluster take what there is of its metadata, see {@link PartialMetadata}. */
export function observeMetadata(
  cluster: Cluster,
  metadata: PartialMetadata,
  absent: AbsentBrokers,
): void {
  if (!hasConnections(cluster)) throw new TypeError('kafkajs 2.2.4 builds connection pools');
  const { connectionPoolBuilder: builder } = cluster;
  const build = builder.build.bind(builder);
  builder.build = async (address) => {
    const pool = await build(address);
    const send = pool.send.bind(pool);
    pool.send = (message) => send(isMetadata(message) ? readBy(metadata, message) : message);
    return pool;
  };
  refreshWithoutWaiting(cluster, metadata);
  skipLeaderless(cluster, absent);
}

/**
 * A broker that does not answer a question for metadata must not hold up what is fetched from the
 * others: only who asks waits, and not for long.
 */
function refreshWithoutWaiting(cluster: Cluster, metadata: PartialMetadata): void {
  const refreshIfNecessary = cluster.refreshMetadataIfNecessary.bind(cluster);
  let asking: Promise<void> | null = null;
  // Called before every fetch.
  cluster.refreshMetadataIfNecessary = async () => {
    if (asking === null) {
      asking = metadata.isDue ? cluster.refreshMetadata() : refreshIfNecessary();
      const asked = asking;
      const done = (): void => {
        asking = null;
      };
      asked.then(done, done);
      if (await withinMs(asked, LOOK_MS)) await asked.catch(unlessBrokerAway);
    }
    if (metadata.takeVanished()) throw new TopicVanishedError();
  };
}

/** Another one is asked next time; the old metadata will do until then. */
function unlessBrokerAway(error: unknown): void {
  if (!isBrokerAway(error)) throw error;
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
/** How long a fetch waits for metadata. */
const LOOK_MS = 1000;

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
function skipLeaderless(cluster: Cluster, absent: AbsentBrokers): void {
  const fetchTopicsOffset = cluster.fetchTopicsOffset.bind(cluster);
  const isLed = (topic: string, partition: number): boolean =>
    cluster
      .findTopicPartitionMetadata(topic)
      .some(
        ({ partitionId, leader }) =>
          partitionId === partition && leader >= 0 && !absent.has(leader),
      );
  cluster.fetchTopicsOffset = async (topics) => {
    const asked = topics.map((each) => ({
      ...each,
      partitions: each.partitions.filter(({ partition }) => isLed(each.topic, partition)),
    }));
    const answered = await fetchTopicsOffset(asked);
    // It looks into the answer of each topic that it asked for.
    return topics.map(
      ({ topic }) => answered.find((each) => each.topic === topic) ?? { topic, partitions: [] },
    );
  };
}
