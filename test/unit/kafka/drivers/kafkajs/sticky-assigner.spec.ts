import { describe, expect, it } from '@jest/globals';
import { AssignerProtocol, type Assigner, type Cluster } from 'kafkajs';

import {
  NOTHING_HAD,
  stickyAssigners,
  type PastAssignment,
} from '../../../../../lib/kafka/drivers/kafkajs/sticky-assigner.js';

const { MemberAssignment, MemberMetadata } = AssignerProtocol;

/** A cluster that knows the partitions of topics once it was asked for them. */
function clusterWith(topics: Readonly<Record<string, number>>, refused: readonly string[] = []) {
  const known = new Set<string>();
  const cluster: Pick<Cluster, 'addMultipleTargetTopics' | 'findTopicPartitionMetadata'> = {
    addMultipleTargetTopics: (wanted) => {
      if (wanted.some((topic) => refused.includes(topic))) {
        return Promise.reject(new Error('UNKNOWN_TOPIC_OR_PARTITION'));
      }
      for (const topic of wanted) known.add(topic);
      return Promise.resolve();
    },
    findTopicPartitionMetadata: (topic) =>
      Array.from({ length: known.has(topic) ? (topics[topic] ?? 0) : 0 }, (_, partitionId) => ({
        ...{ partitionId, leader: 1, replicas: [1], isr: [1] },
        partitionErrorCode: 0,
      })),
  };
  // What an assigner uses of a cluster, not all that its type declares.
  return cluster as Cluster;
}

function assignerOf(cluster: Cluster, had: PastAssignment = NOTHING_HAD): Assigner {
  const [sticky] = stickyAssigners(
    cluster,
    () => had,
    () => undefined,
  );
  if (sticky === undefined) throw new Error('there is none');
  return sticky;
}

/** A member as a leader gets to see it. */
function ours(memberId: string, topics: string[], had?: PastAssignment) {
  const { metadata } = assignerOf(clusterWith({}), had).protocol({ topics });
  return { memberId, memberMetadata: metadata };
}

async function assign(
  cluster: Cluster,
  members: { memberId: string; memberMetadata: Buffer }[],
): Promise<Record<string, unknown>> {
  const assigned = await assignerOf(cluster).assign({ members, topics: ['orders'] });
  return Object.fromEntries(
    assigned.map(({ memberId, memberAssignment }) => [
      memberId,
      MemberAssignment.decode(memberAssignment)?.assignment,
    ]),
  );
}

describe('the assigner that a member offers', () => {
  it('gives members again what they say they had', async () => {
    const had = [3, 0].map((partition) => ({ topic: 'orders', partition }));
    const members = [
      ours('a', ['orders']),
      ours('b', ['orders'], { generation: 4, partitions: had }),
    ];
    expect(await assign(clusterWith({ orders: 4 }), members)).toEqual({
      a: { orders: [1, 2] },
      b: { orders: [0, 3] },
    });
  });

  it('asks for the partitions of topics that only others subscribe to', async () => {
    const members = [ours('a', ['orders']), ours('b', ['stock'])];
    expect(await assign(clusterWith({ orders: 2, stock: 2 }), members)).toEqual({
      a: { orders: [0, 1] },
      b: { stock: [0, 1] },
    });
  });

  it('assigns the rest where a topic is not there', async () => {
    const members = [ours('a', ['orders']), ours('b', ['gone'])];
    expect(await assign(clusterWith({ orders: 2 }, ['gone']), members)).toEqual({
      a: { orders: [0, 1] },
      b: {},
    });
  });

  it('takes a member of plain kafkajs for one that had nothing, and one it cannot read for one like itself', async () => {
    const plain = MemberMetadata.encode({
      version: 0,
      topics: ['orders'],
      userData: Buffer.alloc(0),
    });
    const members = [
      { memberId: 'plain', memberMetadata: plain },
      { memberId: 'unreadable', memberMetadata: Buffer.alloc(0) },
    ];
    expect(await assign(clusterWith({ orders: 2 }), members)).toEqual({
      plain: { orders: [0] },
      unreadable: { orders: [1] },
    });
  });

  it.each([
    ['not JSON', Buffer.from([0, 255, 7])],
    ['of another format', Buffer.from('{"format":"else","generation":9,"partitions":[]}')],
    ['of the wrong shape', Buffer.from('{"format":"nestjs-kafka-events/1","generation":"x"}')],
    [
      'with partitions that are none',
      Buffer.from('{"format":"nestjs-kafka-events/1","generation":9,"partitions":[{"topic":1}]}'),
    ],
  ])('believes nothing that is %s', async (_what, userData) => {
    const memberMetadata = MemberMetadata.encode({ version: 0, topics: ['orders'], userData });
    const members = [{ memberId: 'b', memberMetadata }, ours('a', ['orders'])];
    expect(await assign(clusterWith({ orders: 2 }), members)).toEqual({
      a: { orders: [0] },
      b: { orders: [1] },
    });
  });
});
