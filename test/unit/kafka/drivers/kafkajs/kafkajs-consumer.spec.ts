import { describe, expect, it } from '@jest/globals';
import type { ConsumerConfig, KafkaDriver } from '../../../../../lib/kafka/driver.js';
import { KafkaJsConsumer } from '../../../../../lib/kafka/drivers/kafkajs/kafkajs-consumer.js';
import { eventually } from '../../../../support/eventually.js';
import { connectionTo, GroupMember, LogLines } from '../../../../support/kafka-driver.js';
import {
  protocolError,
  StubCluster,
  type StubFetch,
  type StubRecords,
} from '../../../../support/stub-kafkajs.js';

const topic = 'orders';
const staleMetadata = () => Promise.reject(protocolError('NOT_LEADER_FOR_PARTITION', true));

function memberOn(
  cluster: StubCluster,
  log = new LogLines().log,
  config: Partial<ConsumerConfig> = {},
): GroupMember {
  const connection = connectionTo([], { retryInitialDelayMs: 5 });
  const driver: Pick<KafkaDriver, 'consumer'> = {
    consumer: (config) => new KafkaJsConsumer(config, connection, log, () => cluster.client),
  };
  const timing = { maxWaitTimeMs: 10, heartbeatIntervalMs: 0, revokeDrainMs: 500 };
  return new GroupMember(driver, { groupId: 'group', topics: [topic], ...timing, ...config });
}

/** Something the test lets happen when it likes. */
class Latch<T = undefined> {
  readonly released: Promise<T>;
  release!: (value: T | Promise<T>) => void;
  constructor() {
    this.released = new Promise((resolve) => {
      this.release = resolve;
    });
  }
}

/** A fetch that tells what it was asked for and answers when released. */
function heldFetch(cluster: StubCluster, nodeId: number) {
  const answer = new Latch<readonly StubRecords[]>();
  const asked = new Latch<readonly StubFetch[]>();
  cluster.nextFetch(nodeId, (partitions) => {
    asked.release(partitions);
    return answer.released;
  });
  return { asked: asked.released, answer: answer.release };
}

/** Ends the consumer's session, once. */
function crash(cluster: StubCluster): void {
  cluster.whenHeartbeat = () => {
    cluster.whenHeartbeat = () => Promise.resolve();
    return Promise.reject(new TypeError('a bug of kafkajs'));
  };
}

describe('KafkaJsConsumer', () => {
  it('does not hand out what was fetched before a partition was lost and gained again', async () => {
    const cluster = new StubCluster(topic, [1, 2]);
    cluster.assignments = [[0, 1], [0], [0, 1]];
    cluster.committed.set(1, '50');
    cluster.nextFetch(2, () => Promise.resolve([{ partition: 1, offsets: [50, 51, 52] }]));
    const late = heldFetch(cluster, 2);
    const member = await memberOn(cluster).start();
    expect(await late.asked).toMatchObject([{ partition: 1, fetchOffset: '53' }]);

    // Both rejoins happen inside the fetcher of node 1, which kafkajs does not make node 2 wait for.
    cluster.nextFetch(1, staleMetadata);
    cluster.nextFetch(1, () => Promise.resolve([]));
    cluster.nextFetch(1, staleMetadata);
    await eventually(() => cluster.generation === 3 && member.states.at(-1) === 'running');
    const after = heldFetch(cluster, 2);
    late.answer([{ partition: 1, offsets: [53, 54] }]);

    // Committed is still 50: 50 to 52 were handed out under the epoch that was lost.
    expect(await after.asked).toMatchObject([{ partition: 1, fetchOffset: '50' }]);
    expect(member.values).toEqual(['1@50', '1@51', '1@52']);
    expect(member.told.filter(({ partition }) => partition === `${topic}[1]`)).toEqual([
      { what: 'assigned', partition: `${topic}[1]`, epoch: 2 },
      { what: 'records', partition: `${topic}[1]`, epoch: 2 },
      { what: 'revoking', partition: `${topic}[1]`, epoch: 2 },
      { what: 'lost', partition: `${topic}[1]`, epoch: 2 },
      { what: 'assigned', partition: `${topic}[1]`, epoch: 3 },
    ]);
    after.answer([]);
  });

  it.each([
    ['records', false],
    ['control records', true],
  ])(
    'drops %s that waited in kafkajs while others may have had the partition',
    async (_, control) => {
      const cluster = new StubCluster(topic, [1, 2, 2]);
      cluster.assignments = [[0, 1, 2]];
      cluster.nextFetch(2, () => Promise.resolve([{ partition: 2, offsets: [0, 1, 2] }]));
      const [one, two] = [heldFetch(cluster, 1), heldFetch(cluster, 2)];
      const member = await memberOn(cluster).start();
      await Promise.all([one.asked, two.asked]);
      // The first batch is handed out, and its heartbeat holds up the second.
      const heartbeat = new Latch();
      cluster.whenHeartbeat = () => heartbeat.released;
      two.answer([
        { partition: 1, offsets: [0] },
        { partition: 2, offsets: [3, 4], control },
      ]);
      await eventually(() => member.values.length === 4);
      // Generation 2 passes without us: what it assigned to whom, nobody knows.
      cluster.syncErrors.push(protocolError('REBALANCE_IN_PROGRESS'));
      one.answer(staleMetadata());
      await eventually(() => member.told.filter(({ what }) => what === 'assigned').length === 6);
      expect(cluster.generation).toBe(3);
      expect(member.told.filter(({ what }) => what === 'revoking')).toHaveLength(3);

      const after = heldFetch(cluster, 2);
      heartbeat.release(undefined);
      expect(await after.asked).toContainEqual(
        expect.objectContaining({ partition: 2, fetchOffset: '0' }),
      );
      expect(member.values).toEqual(['2@0', '2@1', '2@2', '1@0']);
      after.answer([]);
    },
  );

  it('waits with every fetcher that wants to rejoin for the one drain', async () => {
    const cluster = new StubCluster(topic, [1, 2]);
    cluster.assignments = [[0, 1]];
    const [one, two] = [heldFetch(cluster, 1), heldFetch(cluster, 2)];
    const member = await memberOn(cluster).start();
    await Promise.all([one.asked, two.asked]);
    const drain = new Latch();
    let drains = 0;
    member.whenRevoking = () => {
      drains++;
      return drain.released;
    };
    cluster.calls.length = 0;
    one.answer(staleMetadata());
    await eventually(() => drains === 1);
    two.answer(staleMetadata());
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(cluster.calls).toEqual([]);
    drain.release(undefined);
    await eventually(() => member.states.at(-1) === 'running');
    expect(drains).toBe(1);
    expect(cluster.calls.slice(0, 2)).toEqual(['find coordinator', 'join 2']);
  });

  it('commits once, in the generation it knows, whatever the broker answers', async () => {
    const cluster = new StubCluster(topic, [1, 2]);
    cluster.assignments = [[0, 1]];
    const member = await memberOn(cluster).start();
    cluster.whenCommitting = () => Promise.reject(protocolError('REBALANCE_IN_PROGRESS'));
    const item = { ...member.partition(`${topic}[1]`), offset: 7n };
    await expect(member.consumer.commit([item])).rejects.toMatchObject({ kind: 'fenced' });
    cluster.nextFetch(1, staleMetadata);
    await eventually(() => cluster.generation === 2 && member.states.at(-1) === 'running');
    await new Promise((resolve) => setTimeout(resolve, 100));
    // kafkajs's own commit would have been repeated, in generation 2.
    expect(cluster.commits).toEqual([
      { generation: 1, offsets: [{ topic, partitions: [{ partition: 1, offset: '7' }] }] },
    ]);
  });

  it('has lost everything when kafkajs takes it for another member', async () => {
    const cluster = new StubCluster(topic, [1]);
    cluster.assignments = [[0]];
    const member = await memberOn(cluster).start();
    cluster.memberId = 'member-2';
    cluster.whenHeartbeat = () => {
      cluster.whenHeartbeat = () => Promise.resolve();
      return Promise.reject(protocolError('UNKNOWN_MEMBER_ID'));
    };
    await eventually(() => member.partition(`${topic}[0]`).epoch === 2);
    expect(member.told.map(({ what }) => what)).toEqual([
      'assigned',
      'revoking',
      'lost',
      'assigned',
    ]);
  });

  it('asks again for an assignment whose answer was lost', async () => {
    const cluster = new StubCluster(topic, [1]);
    cluster.assignments = [[0]];
    const member = await memberOn(cluster).start();
    cluster.syncErrors.push(new Error('the connection was closed'));
    cluster.nextFetch(1, staleMetadata);
    await eventually(() => cluster.generation === 3 && member.states.at(-1) === 'running');
    expect(member.states).toEqual(['joining', 'running', 'rebalancing', 'running']);
    // Generation 2 passed without us.
    expect(member.partition(`${topic}[0]`).epoch).toBe(2);
  });

  it('starts anew when kafkajs has joined, and goes on without an assignment', async () => {
    const cluster = new StubCluster(topic, [1]);
    cluster.assignments = [[0], [0, 7], [0]];
    const timing = { sessionTimeoutMs: 60, rebalanceTimeoutMs: 60, revokeDrainMs: 20 };
    const member = await memberOn(cluster, undefined, timing).start();
    // Asked before the rejoin, and again when a partition in the assignment is unknown.
    cluster.refreshMetadata = () => {
      cluster.refreshMetadata = () => Promise.reject(new Error('no broker answers'));
      return Promise.resolve();
    };
    cluster.nextFetch(1, staleMetadata);
    await eventually(() => member.states.includes('restarting'));
    expect(member.lastCause?.message).toContain('no assignment');
    cluster.refreshMetadata = () => Promise.resolve();
    await eventually(() => member.states.at(-1) === 'running');
  });

  it('tells a loss before it leaves the group, and comes back', async () => {
    const cluster = new StubCluster(topic, [1]);
    cluster.assignments = [[0]];
    const member = await memberOn(cluster).start();
    const item = { ...member.partition(`${topic}[0]`), offset: 1n };
    let callsBeforeLoss: string[] = [];
    const lose = member.onLost.bind(member);
    member.onLost = (lost) => {
      callsBeforeLoss = [...cluster.calls];
      lose(lost);
    };
    crash(cluster);
    await eventually(() => cluster.calls.includes('leave'));
    expect(callsBeforeLoss).toEqual(['find coordinator', 'join 1']);
    expect(member.told.at(-1)).toMatchObject({ what: 'lost', epoch: 1 });
    expect(await member.consumer.commit([item])).toEqual([]);
    await eventually(() => member.owned.size === 1);
    expect(member.states).toEqual(['joining', 'running', 'restarting', 'joining', 'running']);
    expect(member.partition(`${topic}[0]`).epoch).toBe(2);
  });

  it.each([
    [
      'hangs in a heartbeat',
      (cluster: StubCluster) => {
        cluster.whenHeartbeat = () => new Promise(() => undefined);
      },
    ],
    [
      'ends without a word',
      (cluster: StubCluster) => {
        void cluster.consumers.at(-1)?.stop();
      },
    ],
  ])('notices within two sessions when kafkajs %s, and begins another', async (_, silence) => {
    const cluster = new StubCluster(topic, [1]);
    cluster.assignments = [[0]];
    const sessionTimeoutMs = 400;
    const config = { sessionTimeoutMs, rebalanceTimeoutMs: 60_000, revokeDrainMs: 100 };
    const member = await memberOn(cluster, undefined, config).start();
    silence(cluster);
    // Were the time for a rebalance waited for as well, it would take a minute.
    await eventually(() => member.states.includes('restarting'));
    expect(member.lastCause?.message).toContain('no sign of life');
    cluster.whenHeartbeat = () => Promise.resolve();
    await eventually(() => member.owned.size === 1);
    await new Promise((resolve) => setTimeout(resolve, 2 * sessionTimeoutMs));
    expect(member.states).toEqual(['joining', 'running', 'restarting', 'joining', 'running']);
  });

  it('does not take a processor that was busy for silence', async () => {
    const cluster = new StubCluster(topic, [1]);
    cluster.assignments = [[0]];
    const config = { sessionTimeoutMs: 400, revokeDrainMs: 100 };
    const member = await memberOn(cluster, undefined, config).start();
    // Answers travel: none is there yet when the watch comes round again.
    cluster.whenHeartbeat = () => new Promise((resolve) => setTimeout(resolve, 20));
    const until = performance.now() + 1000;
    while (performance.now() < until);
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(member.states).toEqual(['joining', 'running']);
  });

  it('is quiet after stop, although a restart was due', async () => {
    const cluster = new StubCluster(topic, [1]);
    cluster.assignments = [[0]];
    const member = await memberOn(cluster).start();
    crash(cluster);
    await eventually(() => member.states.includes('restarting'));
    await member.consumer.stop(1000);
    cluster.calls.length = 0;
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(cluster.calls).toEqual([]);
    expect(member.states.at(-1)).toBe('stopped');
  });

  it('stops although brokers come or go at that moment', async () => {
    const cluster = new StubCluster(topic, [1, 2]);
    cluster.assignments = [[0, 1]];
    const nodeIds = cluster.getNodeIds();
    let asked = 0;
    cluster.getNodeIds = () => {
      // Without a bound, kafkajs could ask for ever in one turn of the event loop.
      if (++asked > 1000) throw new TypeError('asked without end');
      return [...nodeIds];
    };
    const [one, two] = [heldFetch(cluster, 1), heldFetch(cluster, 2)];
    const member = await memberOn(cluster).start();
    await Promise.all([one.asked, two.asked]);

    // The fetcher of node 1 wants new fetchers for the brokers there are now, when node 2 has answered.
    nodeIds.push('3');
    const before = asked;
    one.answer([]);
    await eventually(() => asked > before);
    const stopped = member.consumer.stop(1000);
    await new Promise(setImmediate);
    two.answer([]);
    await stopped;

    expect(asked).toBeLessThan(100);
    expect(cluster.calls.at(-1)).toBe('leave');
    expect(member.states.at(-1)).toBe('stopped');
  });

  it('survives hooks that throw, and says so', async () => {
    const cluster = new StubCluster(topic, [1]);
    cluster.assignments = [[0]];
    const lines = new LogLines();
    const member = memberOn(cluster, lines.log);
    member.onAssigned = () => {
      throw new TypeError('a bug of ours');
    };
    member.whenRevoking = () => Promise.reject(new Error('another'));
    await member.start();
    cluster.nextFetch(1, staleMetadata);
    await eventually(() => cluster.generation === 2 && member.states.at(-1) === 'running');
    expect(lines.text).toContain('the hook onAssigned threw: a bug of ours');
    expect(lines.text).toContain('the hook onRevoking threw: another');
  });
});
