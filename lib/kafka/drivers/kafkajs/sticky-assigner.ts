import {
  AssignerProtocol,
  type Assigner,
  type Assignment,
  type Cluster,
  type GroupMember,
} from 'kafkajs';

import type { TopicPartition } from '../../records.js';
import { assignSticky } from '../../sticky-assignment.js';

/** What a member had, and in which generation of its group. */
export interface PastAssignment {
  readonly generation: number;
  readonly partitions: readonly TopicPartition[];
}

export const NOTHING_HAD: PastAssignment = { generation: 0, partitions: [] };

/** Chosen by the group once all its members offer it. */
const STICKY = 'nestjs-kafka-events.sticky';

/** What kafkajs calls its only assigner, and the version it writes. */
const ROUND_ROBIN = 'RoundRobinAssigner';
const VERSION = 0;

/** Names what `userData` holds: others may put there what they like. */
const FORMAT = 'nestjs-kafka-events/1';

/**
 * The protocols that a member offers, both assigned by `assignSticky`: our own, and kafkajs's round
 * robin, so that a group can come over from plain kafkajs, and go back, member by member. Who leads
 * the group then assigns in its own way.
 *
 * @param had what to tell the leader of, asked for at each join.
 * @param onMembers told how many members there are, by the leader, at each rebalance.
 */
export function stickyAssigners(
  cluster: Cluster,
  had: () => PastAssignment,
  onMembers: (count: number) => void,
): Assigner[] {
  const assign: Assigner['assign'] = async ({ members, topics }) => {
    onMembers(members.length);
    const subscribers = members.map((member) => toSubscriber(member, topics));
    const wanted = [...new Set(subscribers.flatMap((subscriber) => subscriber.topics))];
    const partitions = await partitionsOf(wanted, cluster);
    return assignSticky(subscribers, partitions).map((given, i) => ({
      memberId: subscribers[i]?.memberId ?? '',
      memberAssignment: encode(given),
    }));
  };
  return [STICKY, ROUND_ROBIN].map((name) => ({
    name,
    version: VERSION,
    assign,
    protocol: ({ topics }) => {
      const userData = Buffer.from(JSON.stringify({ format: FORMAT, ...had() }));
      const metadata = { version: VERSION, topics, userData };
      return { name, metadata: AssignerProtocol.MemberMetadata.encode(metadata) };
    },
  }));
}

function encode(partitions: readonly TopicPartition[]): Buffer {
  // Without a prototype: a topic may be called `__proto__`.
  const assignment = Object.create(null) as Assignment;
  for (const { topic, partition } of partitions) (assignment[topic] ??= []).push(partition);
  return AssignerProtocol.MemberAssignment.encode({
    version: VERSION,
    assignment,
    userData: Buffer.alloc(0),
  });
}

/** A member that cannot be read is taken to want what the leader wants. */
function toSubscriber({ memberId, memberMetadata }: GroupMember, ofLeader: readonly string[]) {
  const metadata = decoded(memberMetadata);
  const { generation, partitions } = pastIn(metadata?.userData);
  return { memberId, topics: metadata?.topics ?? ofLeader, had: partitions, generation };
}

function decoded(metadata: Buffer): { topics: string[]; userData: Buffer } | null {
  try {
    return AssignerProtocol.MemberMetadata.decode(metadata);
  } catch {
    return null;
  }
}

function pastIn(userData: Buffer | null | undefined): PastAssignment {
  try {
    const read: unknown = JSON.parse(String(userData));
    return isPast(read) ? read : NOTHING_HAD;
  } catch {
    return NOTHING_HAD;
  }
}

function isPast(read: unknown): read is PastAssignment {
  if (typeof read !== 'object' || read === null) return false;
  const { format, generation, partitions } = read as Readonly<Record<string, unknown>>;
  return (
    format === FORMAT &&
    typeof generation === 'number' &&
    Array.isArray(partitions) &&
    partitions.every(isPartition)
  );
}

function isPartition(read: unknown): read is TopicPartition {
  return (
    typeof read === 'object' &&
    read !== null &&
    'topic' in read &&
    typeof read.topic === 'string' &&
    'partition' in read &&
    typeof read.partition === 'number'
  );
}

/** The leader knows the partitions of its own topics only: those of the other members it has to ask for. */
async function partitionsOf(
  topics: readonly string[],
  cluster: Cluster,
): Promise<TopicPartition[]> {
  await Promise.all(topics.map((topic) => cluster.addMultipleTargetTopics([topic]).catch(ignore)));
  return topics.flatMap((topic) =>
    cluster
      .findTopicPartitionMetadata(topic)
      .map(({ partitionId }) => ({ topic, partition: partitionId })),
  );
}

/** A topic that is not there, or not ours to see, has no partitions to assign; the others go on. */
function ignore(): void {
  return undefined;
}
