import { setTimeout as sleep } from 'node:timers/promises';
import type { ITopicMetadata } from 'kafkajs';
import { eventually } from '../support/eventually.js';
import type { KafkaCluster } from '../support/kafka-cluster.js';
import type { KafkaNode } from '../support/kafka-node.js';
import type { RedisServer } from '../support/redis-server.js';
import { withAdmin } from '../support/unique-topic.js';
import type { Fleet } from './fleet.js';
import type { Ledger } from './ledger.js';
import type { FaultKind, PlannedFault } from './schedule.js';

/** All that can be broken. */
export interface Arena {
  readonly cluster: KafkaCluster;
  /** Whose networks can be broken. */
  readonly clients: readonly string[];
  readonly fleet: Fleet;
  readonly redis: RedisServer;
  readonly ledger: Ledger;
  /** Whose leaders are moved, and which must be replicated again before the next broker falls. */
  readonly topics: readonly string[];
}

const OFFSETS_TOPIC = '__consumer_offsets';
const IN_SYNC_MS = 120_000;

type Inflict = (arena: Arena, fault: PlannedFault) => Promise<void>;

/** Does what a fault says, waits as long as it lasts, and undoes it. */
export function inflict(arena: Arena, fault: PlannedFault): Promise<void> {
  return INFLICT[fault.kind](arena, fault);
}

const INFLICT: Readonly<Record<FaultKind, Inflict>> = {
  'broker-killed': (arena, fault) => restartNode(arena, fault, 'SIGKILL'),
  'broker-restarted': (arena, fault) => restartNode(arena, fault, 'SIGTERM'),
  'leaders-moved': async ({ cluster, topics }, { target }) => {
    await moveLeaders(cluster, topics, target);
  },
  'coordinator-moved': async ({ cluster }, { target }) => {
    await moveLeaders(cluster, [OFFSETS_TOPIC], target);
  },
  'broker-cut-off': async ({ cluster }, { target, lastsMs }) => {
    const links = cluster.linksTo(nodeAt(cluster, target));
    for (const link of links) link.freeze();
    await sleep(lastsMs);
    for (const link of links) link.restore();
  },
  'client-cut-off': async (arena, { target, lastsMs }) => {
    const links = linksOf(arena, target);
    for (const link of links) link.cut();
    await sleep(lastsMs);
    for (const link of links) link.restore();
  },
  'client-frozen': async (arena, { target, lastsMs }) => {
    const links = linksOf(arena, target);
    for (const link of links) link.freeze();
    await sleep(lastsMs);
    for (const link of links) link.restore();
  },
  'links-slow': async ({ cluster }, { target, lastsMs }) => {
    for (const link of cluster.links) link.delay(20 + (target % 100));
    await sleep(lastsMs);
    for (const link of cluster.links) link.restore();
  },
  'consumer-killed': async ({ fleet }, { target, lastsMs }) => {
    const member = fleet.present(target);
    await member?.kill();
    await sleep(lastsMs);
    member?.start();
    await member?.ready();
  },
  // A deployment does not end what has just begun to start; a crash does.
  'consumer-left': async ({ fleet }, { target, lastsMs }) => {
    const member = fleet.ready(target);
    await member?.leave();
    await sleep(lastsMs);
    member?.start();
    await member?.ready();
  },
  'consumers-rolled': async ({ fleet }) => {
    for (const member of fleet.members) {
      await member.leave();
      member.start();
      await member.ready();
    }
  },
  'redis-killed': async ({ redis }, { lastsMs }) => {
    await redis.shutDown('SIGKILL');
    await sleep(lastsMs);
    await redis.boot();
  },
  'redis-frozen': async ({ redis }, { lastsMs }) => {
    redis.pause();
    await sleep(lastsMs);
    redis.resume();
  },
  'downstream-away': async ({ ledger }, { lastsMs }) => {
    ledger.isAway = true;
    await sleep(lastsMs);
    ledger.isAway = false;
  },
};

/** It ends when all replicas are in sync again: with two brokers away, nobody could write. */
async function restartNode(
  { cluster, topics }: Arena,
  { target, lastsMs }: PlannedFault,
  signal: 'SIGKILL' | 'SIGTERM',
): Promise<void> {
  const node = nodeAt(cluster, target);
  await node.shutDown(signal);
  await sleep(lastsMs);
  await node.boot();
  await eventually(
    async () => {
      const partitions = (await describe(cluster, [...topics, OFFSETS_TOPIC])).flatMap(
        (topic) => topic.partitions,
      );
      return partitions.every(({ isr, replicas }) => isr.length === replicas.length);
    },
    { timeoutMs: IN_SYNC_MS, intervalMs: 200, message: 'all replicas in sync' },
  );
}

/** Gives every partition its replicas in another order: the first one is to lead. */
async function moveLeaders(
  cluster: KafkaCluster,
  topics: readonly string[],
  target: number,
): Promise<void> {
  const nodeIds = cluster.nodes.map(({ nodeId }) => nodeId);
  const described = await describe(cluster, topics);
  await withAdmin(cluster.brokers, (admin) =>
    admin.alterPartitionReassignments({
      topics: described.map(({ name, partitions }) => ({
        topic: name,
        partitionAssignment: partitions.map(({ partitionId, leader }) => {
          // Never the one that leads now.
          const step = 1 + ((target + partitionId) % (nodeIds.length - 1));
          const first = (nodeIds.indexOf(leader) + step) % nodeIds.length;
          const replicas = [...nodeIds.slice(first), ...nodeIds.slice(0, first)];
          return { partition: partitionId, replicas };
        }),
      })),
    }),
  );
}

async function describe(
  cluster: KafkaCluster,
  topics: readonly string[],
): Promise<ITopicMetadata[]> {
  const metadata = await withAdmin(cluster.brokers, (admin) =>
    admin.fetchTopicMetadata({ topics: [...topics] }),
  );
  return metadata.topics;
}

function nodeAt({ nodes }: KafkaCluster, target: number): KafkaNode {
  const node = nodes[target % nodes.length];
  if (node === undefined) throw new Error('a cluster without nodes');
  return node;
}

function linksOf({ cluster, clients }: Arena, target: number) {
  return cluster.client(clients[target % clients.length] ?? '').links;
}
