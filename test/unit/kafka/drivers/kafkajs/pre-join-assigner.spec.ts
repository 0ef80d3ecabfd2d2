import { beforeEach, describe, expect, it } from '@jest/globals';
import { AssignerProtocol, PartitionAssigners, type PartitionAssigner } from 'kafkajs';
import {
  preJoinAssigner,
  type MembershipObserver,
} from '../../../../../lib/kafka/drivers/kafkajs/pre-join-assigner.js';
import { StubCluster } from '../../../../support/stub-kafkajs.js';

const topic = 'orders';

describe('preJoinAssigner', () => {
  let cluster: StubCluster;
  let told: string[];
  let config: Parameters<PartitionAssigner>[0];
  let isOver: boolean;
  const observer: MembershipObserver = {
    get isOver() {
      return isOver;
    },
    beforeJoin: () => {
      told.push(`before join, coordinator ${cluster.calls.length === 0 ? 'unknown' : 'known'}`);
      return Promise.resolve();
    },
    joined: ({ generationId, memberId }) => told.push(`joined ${generationId} as ${memberId}`),
    leaving: () => told.push(`leaving after ${cluster.calls.at(-1) ?? 'nothing'}`),
    fetch: (nodeId, request, send) => {
      told.push(`fetch from ${nodeId}`);
      return send(request);
    },
    members: (count) => told.push(`${count} members`),
  };

  beforeEach(() => {
    cluster = new StubCluster(topic, [1, 2, 1]);
    told = [];
    isOver = false;
    // The stub has what kafkajs's consumer uses of a cluster, not all that its type declares.
    config = { cluster, groupId: 'group', logger: {} } as unknown as typeof config;
  });

  it('advertises and assigns as kafkajs’s round robin does, and counts the members', async () => {
    const mine = preJoinAssigner(observer)(config);
    const theirs = PartitionAssigners.roundRobin(config);
    const subscription = { topics: [topic] };
    expect(mine.protocol(subscription)).toEqual(theirs.protocol(subscription));
    expect([mine.name, mine.version]).toEqual([theirs.name, theirs.version]);

    const members = ['b', 'a'].map((memberId) => ({ memberId, memberMetadata: Buffer.alloc(0) }));
    const assigned = await mine.assign({ members, topics: [topic] });
    expect(assigned).toEqual(await theirs.assign({ members, topics: [topic] }));
    const ofA = assigned.find(({ memberId }) => memberId === 'a')?.memberAssignment;
    expect(AssignerProtocol.MemberAssignment.decode(ofA ?? Buffer.alloc(0))?.assignment).toEqual({
      [topic]: [0, 2],
    });
    expect(told).toEqual(['2 members']);
  });

  it('tells of joins before they begin and when they are answered, and of leaving before it', async () => {
    preJoinAssigner(observer)(config);
    const coordinator = await cluster.findGroupCoordinator();
    await coordinator.joinGroup();
    await coordinator.leaveGroup();
    expect(told).toEqual([
      'before join, coordinator unknown',
      'joined 1 as member-1',
      'leaving after join 1',
    ]);
  });

  it('knows no brokers to fetch from once it is over', () => {
    preJoinAssigner(observer)(config);
    expect(cluster.getNodeIds()).toEqual(['1', '2']);
    isOver = true;
    expect(cluster.getNodeIds()).toEqual([]);
  });

  it('stands before the fetches of every broker, once each', async () => {
    preJoinAssigner(observer)(config);
    for (const nodeId of ['1', '2', '1']) {
      const broker = await cluster.findBroker({ nodeId });
      await broker.fetch({ topics: [] });
    }
    expect(told).toEqual(['fetch from 1', 'fetch from 2', 'fetch from 1']);
  });
});
