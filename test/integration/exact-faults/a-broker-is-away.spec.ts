import { describe, expect, it } from '@jest/globals';
import type { EmbeddedKafka } from '../../../lib/testing/embedded-kafka/embedded-kafka.js';
import type {
  RequestOf,
  ResponseOf,
} from '../../../lib/testing/embedded-kafka/requests/request-table.js';
import { startEmbeddedKafka } from '../../support/embedded-kafka.js';
import { eventually } from '../../support/eventually.js';
import { driverFor, GroupMember, produce, textRecord } from '../../support/kafka-driver.js';
import { withAdmin } from '../../support/unique-topic.js';

const TOPIC = 'orders';
const GROUP = 'group';
const MEMBER = 'member';
const PARTITIONS = [0, 1, 2];

describe('a broker that is away', () => {
  it('and still named as a leader holds up its own partitions alone', async () => {
    const { kafka, member, send, leaderOf, coordinator } = await running();
    const down = PARTITIONS.map(leaderOf).find((nodeId) => nodeId !== coordinator) ?? NaN;
    const held = PARTITIONS.find((partition) => leaderOf(partition) === down) ?? NaN;
    const others = PARTITIONS.filter((partition) => partition !== held);
    const stale = await keepMetadata(kafka);
    await kafka.stopBroker(down);
    for (const value of ['first', 'second', 'third']) {
      for (const partition of others) await send(partition, value);
    }
    await eventually(() => member.told.some(({ what }) => what === 'fetch failed'));
    expect(member.fetchFailures.join()).toContain(`broker ${String(down)}`);
    await send(others[0] ?? NaN, 'fourth');
    stale.remove();
    await send(held, 'of another leader');

    expect(member.states).not.toContain('restarting');
    expect(member.told.filter(({ what }) => what === 'lost')).toEqual([]);
  });

  it('and coordinates the group is replaced, and nothing is lost meanwhile', async () => {
    const { kafka, member, send, coordinator } = await running();
    await kafka.stopBroker(coordinator);
    for (const value of ['first', 'second']) {
      for (const partition of PARTITIONS) await send(partition, value);
    }
    expect(member.states).not.toContain('restarting');
    expect(member.told.filter(({ what }) => what === 'lost')).toEqual([]);
  });

  it('because it does not answer holds up its own partitions alone', async () => {
    const { kafka, member, send, leaderOf, coordinator } = await running({ requestTimeoutMs: 400 });
    const deaf = PARTITIONS.map(leaderOf).find((nodeId) => nodeId !== coordinator) ?? NaN;
    const held = PARTITIONS.find((partition) => leaderOf(partition) === deaf) ?? NaN;
    const others = PARTITIONS.filter((partition) => partition !== held);
    const silent = (['Fetch', 'Metadata'] as const).map((api) =>
      kafka.on(
        api,
        (_, control) => (control.clientId === MEMBER ? control.swallow() : control.pass()),
        { times: Infinity, nodeId: deaf },
      ),
    );
    await eventually(() => member.told.some(({ what }) => what === 'fetch failed'));
    // For longer than kafkajs tries.
    for (let i = 0; i < 8; i++) {
      for (const partition of others) await send(partition, `no. ${String(i)}`);
      await eventually(() => member.fetchFailures.length > i);
    }
    for (const fault of silent) fault.remove();
    await send(held, 'answered again');

    expect(member.states).not.toContain('restarting');
    expect(member.told.filter(({ what }) => what === 'lost')).toEqual([]);
  }, 60_000);
});

/** A member of a cluster of three brokers, each of which leads a partition. */
async function running({ requestTimeoutMs = 2000 } = {}) {
  const kafka = await startEmbeddedKafka({ brokers: 3, topics: [{ topic: TOPIC, partitions: 3 }] });
  const driver = driverFor(kafka.brokers, { clientId: MEMBER, requestTimeoutMs });
  const config = { groupId: GROUP, topics: [TOPIC], maxWaitTimeMs: 20 };
  const member = await new GroupMember(driver, config).start();
  await member.owns(3);
  const send = async (partition: number, value: string) => {
    const name = `${String(partition)}: ${value}`;
    await eventually(() =>
      produce(sender, TOPIC, [textRecord(name, { partition })]).then(() => true),
    );
    await eventually(() => member.values.includes(name), { message: name });
  };
  const sender = driverFor(kafka.brokers);
  for (const partition of PARTITIONS) await send(partition, 'before');
  const leaders = PARTITIONS.map((partition) => leaderOf(kafka, partition));
  const coordinator = kafka.requestsOf('JoinGroup').at(-1)?.nodeId ?? NaN;
  return { kafka, member, send, leaderOf: (partition: number) => leaders[partition], coordinator };
}

function leaderOf(kafka: EmbeddedKafka, partition: number): number {
  const asked = kafka
    .requestsOf('Fetch')
    .filter(({ request }) =>
      request.topics.some(({ partitions }) =>
        partitions.some((each) => each.partition === partition),
      ),
    );
  return asked.at(-1)?.nodeId ?? NaN;
}

/** Has brokers answer what they know now, as they do until they hear that one of them is gone. */
async function keepMetadata(kafka: EmbeddedKafka) {
  const when = ({ topics }: RequestOf<'Metadata'>) => topics?.includes(TOPIC) ?? false;
  let kept: ResponseOf<'Metadata'> | null = null;
  kafka.on(
    'Metadata',
    async (_, control) => {
      kept = await control.handle();
      return control.answer(kept);
    },
    { when },
  );
  await withAdmin(kafka.brokers, (admin) => admin.fetchTopicMetadata({ topics: [TOPIC] }));
  return kafka.on('Metadata', (_, control) => control.answer(kept), { times: Infinity, when });
}
