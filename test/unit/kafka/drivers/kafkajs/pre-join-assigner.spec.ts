import { beforeEach, describe, expect, it } from '@jest/globals';
import { AssignerProtocol, PartitionAssigners, type PartitionAssigner } from 'kafkajs';
import { PartialMetadata } from '../../../../../lib/kafka/drivers/kafkajs/partial-metadata.js';
import {
  preJoinAssigners,
  type MembershipObserver,
} from '../../../../../lib/kafka/drivers/kafkajs/pre-join-assigner.js';
import { NOTHING_HAD } from '../../../../../lib/kafka/drivers/kafkajs/sticky-assigner.js';
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
    had: NOTHING_HAD,
    beforeJoin: () => {
      told.push(`before join, coordinator ${cluster.calls.length === 0 ? 'unknown' : 'known'}`);
      return Promise.resolve();
    },
    joined: ({ generationId, memberId }) => told.push(`joined ${generationId} as ${memberId}`),
    joinFailed: (error) => new Error('joining failed', { cause: error }),
    leaving: () => told.push(`leaving after ${cluster.calls.at(-1) ?? 'nothing'}`),
    fetch: (nodeId, request, send) => {
      told.push(`fetch from ${nodeId}`);
      return send(request);
    },
    members: (count) => told.push(`${count} members`),
    topics: [topic],
    leaderAway: () => undefined,
    metadata: new PartialMetadata(
      { unavailable: () => undefined, leaderless: () => undefined },
      30_000,
    ),
  };

  beforeEach(() => {
    cluster = new StubCluster(topic, [1, 2, 1]);
    told = [];
    isOver = false;
    // The stub has what kafkajs's consumer uses of a cluster, not all that its type declares.
    config = { cluster, groupId: 'group', logger: {} } as unknown as typeof config;
  });

  it('offers its own protocol first, then kafkajs’s round robin under its name', () => {
    const [sticky, roundRobin] = preJoinAssigners(observer).map((make) => make(config));
    const theirs = PartitionAssigners.roundRobin(config);
    expect(roundRobin).toMatchObject({ name: theirs.name, version: theirs.version });
    expect(sticky?.name).not.toBe(theirs.name);

    const theirMetadata = theirs.protocol({ topics: [topic] }).metadata;
    for (const mine of [sticky, roundRobin]) {
      const { MemberMetadata } = AssignerProtocol;
      const metadata = mine?.protocol({ topics: [topic] }).metadata ?? Buffer.alloc(0);
      const { version, topics } = MemberMetadata.decode(metadata) ?? {};
      expect({ version, topics }).toMatchObject({ version: 0, topics: [topic] });
      expect(MemberMetadata.decode(theirMetadata)).toMatchObject({ version, topics });
    }
  });

  it('counts the members when it assigns', async () => {
    const [sticky] = preJoinAssigners(observer).map((make) => make(config));
    const members = ['b', 'a'].map((memberId) => ({ memberId, memberMetadata: Buffer.alloc(0) }));
    await sticky?.assign({ members, topics: [topic] });
    expect(told).toEqual(['2 members']);
  });

  it('tells of joins before they begin and when they are answered, and of leaving before it', async () => {
    for (const make of preJoinAssigners(observer)) make(config);
    const coordinator = await cluster.findGroupCoordinator();
    await coordinator.joinGroup();
    await coordinator.leaveGroup();
    expect(told).toEqual([
      'before join, coordinator unknown',
      'joined 1 as member-1',
      'leaving after join 1',
    ]);
  });

  it('lets its observer say what kafkajs hears of a join that failed', async () => {
    for (const make of preJoinAssigners(observer)) make(config);
    const coordinator = await cluster.findGroupCoordinator();
    cluster.syncErrors.push(new Error('the connection was closed'));
    await expect(coordinator.syncGroup()).rejects.toThrow('joining failed');
  });

  it('knows no brokers to fetch from once it is over', () => {
    for (const make of preJoinAssigners(observer)) make(config);
    expect(cluster.getNodeIds()).toEqual(['1', '2']);
    isOver = true;
    expect(cluster.getNodeIds()).toEqual([]);
  });

  it('stands before the fetches of every broker, once each', async () => {
    for (const make of preJoinAssigners(observer)) make(config);
    for (const nodeId of ['1', '2', '1']) {
      const broker = await cluster.findBroker({ nodeId });
      await broker.fetch({ topics: [] });
    }
    expect(told).toEqual(['fetch from 1', 'fetch from 2', 'fetch from 1']);
  });
});
