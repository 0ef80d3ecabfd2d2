import { describe, expect, it } from '@jest/globals';
import { KafkaErrorCode } from '../../../lib/testing/embedded-kafka/wire/kafka-error.js';
import { describeEachKafka } from '../../support/each-kafka.js';
import { startEmbeddedKafka } from '../../support/embedded-kafka.js';
import { eventually } from '../../support/eventually.js';
import { driverFor, GroupMember, produce, textRecord } from '../../support/kafka-driver.js';
import { createTopic, uniqueName, withAdmin } from '../../support/unique-topic.js';

describeEachKafka('a topic of several', (brokers) => {
  const driver = driverFor(brokers);

  it('that is missing at the join holds no other up, and is read once it is there', async () => {
    const [topic, late] = [await createTopic(brokers), uniqueName('late')];
    const topics = [late, topic];
    const member = await new GroupMember(driver, { groupId: uniqueName('group'), topics }).start();
    await produce(driver, topic, [textRecord('other')]);
    await eventually(() => member.values.includes('other'));
    expect(member.unavailable.get(late)?.message).toContain('does not host');

    await createTopic(brokers, { name: late, partitions: 2 });
    await produce(driver, late, [textRecord('late', { partition: 1 })]);
    await eventually(() => member.values.includes('late'));
    expect(member.unavailable.size).toBe(0);
    expect(member.told.filter(({ what }) => what === 'lost')).toEqual([]);
  });

  it('that is deleted while it is consumed holds no other up, and is read anew when made anew', async () => {
    const [topic, gone] = [await createTopic(brokers), await createTopic(brokers)];
    const topics = [gone, topic];
    const member = await new GroupMember(driver, { groupId: uniqueName('group'), topics }).start();
    await produce(driver, gone, [textRecord('0'), textRecord('1')]);
    await eventually(() => member.values.length === 2);
    const [first, other] = [member.partition(`${gone}[0]`), member.partition(`${topic}[0]`)];
    await member.consumer.commit([{ ...first, offset: 2n }]);

    await deleteTopic(brokers, gone);
    await eventually(() => member.unavailable.has(gone) && !member.owned.has(`${gone}[0]`));
    await produce(driver, topic, [textRecord('other')]);
    await eventually(() => member.values.includes('other'));
    await withAdmin(brokers, (admin) => admin.createTopics({ topics: [{ topic: gone }] }));
    await eventually(() => produce(driver, gone, [textRecord('anew')]).then(() => true));
    await eventually(() => member.values.includes('anew'));

    // What was not committed comes again after a rejoin.
    expect([...new Set(member.values)]).toEqual(['0', '1', 'other', 'anew']);
    expect(member.unavailable.size).toBe(0);
    expect(member.partition(`${gone}[0]`).epoch).toBeGreaterThan(first.epoch);
    expect(member.partition(`${topic}[0]`)).toEqual(other);
    expect(member.states).not.toContain('restarting');
  });

  it('that has more partitions is read whole, what was written before anybody noticed included', async () => {
    const [topic, other] = [await createTopic(brokers), await createTopic(brokers)];
    const topics = [topic, other];
    const metadataMaxAgeMs = 1000;
    const groupId = uniqueName('group');
    const member = await new GroupMember(driver, { groupId, topics, metadataMaxAgeMs }).start();
    await withAdmin(brokers, (admin) =>
      admin.createPartitions({ topicPartitions: [{ topic, count: 3 }] }),
    );
    const early = [1, 2].map((partition) => textRecord(`early ${partition}`, { partition }));
    await eventually(() => produce(driver, topic, early).then(() => true));
    await eventually(() => member.values.length === 2);

    expect([...member.values].sort()).toEqual(['early 1', 'early 2']);
    expect(member.told.filter(({ what }) => what === 'lost')).toEqual([]);
  });
});

describe('a topic of several', () => {
  it.each(['at the join', 'while it is consumed'])(
    'that is not ours to see %s holds no other up, and is read when it is ours again',
    async (when) => {
      const kafka = await startEmbeddedKafka({ topics: [{ topic: 'seen' }, { topic: 'unseen' }] });
      const driver = driverFor(kafka.brokers);
      const hide = () =>
        kafka.on(
          'Metadata',
          async (request, control) => {
            const answer = await control.handle();
            const refused = KafkaErrorCode.TOPIC_AUTHORIZATION_FAILED;
            const topics = (answer?.topics ?? []).map((topic) =>
              topic.topic === 'unseen' ? { ...topic, errorCode: refused, partitions: [] } : topic,
            );
            return control.answer(answer && { ...answer, topics });
          },
          { times: Infinity, when: ({ topics }) => topics?.includes('unseen') ?? false },
        );
      const hiddenFirst = when === 'at the join' ? hide() : null;
      const timing = { metadataMaxAgeMs: 200, maxWaitTimeMs: 20 };
      const topics = ['seen', 'unseen'];
      const member = new GroupMember(driver, { groupId: 'group', topics, ...timing });
      await member.start();
      const hidden = hiddenFirst ?? hide();
      await eventually(() => member.unavailable.has('unseen') && member.owned.size === 1);
      await produce(driver, 'seen', [textRecord('seen')]);
      await eventually(() => member.values.includes('seen'));
      hidden.remove();
      await produce(driver, 'unseen', [textRecord('unseen')]);
      await eventually(() => member.values.includes('unseen'));
      expect(member.states).not.toContain('restarting');
    },
  );

  it('that is made anew before anybody saw it gone is read from its beginning', async () => {
    const kafka = await startEmbeddedKafka({ topics: [{ topic: 'orders' }] });
    const driver = driverFor(kafka.brokers);
    const config = { groupId: 'group', topics: ['orders'], maxWaitTimeMs: 20 };
    const member = await new GroupMember(driver, config).start();
    await produce(
      driver,
      'orders',
      ['0', '1', '2'].map((value) => textRecord(value)),
    );
    await eventually(() => member.values.length === 3);
    const before = member.partition('orders[0]');
    await member.consumer.commit([{ ...before, offset: 3n }]);

    const { release, released } = latch();
    kafka.on('Metadata', (_, control) => released.then(() => control.pass()), {
      times: Infinity,
      when: ({ topics }) => topics?.includes('orders') ?? false,
    });
    await deleteTopic(kafka.brokers, 'orders');
    kafka.createTopic({ topic: 'orders' });
    release();
    await produce(
      driver,
      'orders',
      ['new 0', 'new 1'].map((value) => textRecord(value)),
    );
    await eventually(() => member.values.length === 5);

    expect(member.values).toEqual(['0', '1', '2', 'new 0', 'new 1']);
    expect(member.partition('orders[0]').epoch).toBeGreaterThan(before.epoch);
    expect(member.told.map(({ what }) => what).slice(-3)).toEqual(['lost', 'assigned', 'records']);
  });

  it('is read but for a partition that has no leader, and that one when it has', async () => {
    const kafka = await startEmbeddedKafka({ topics: [{ topic: 'orders', partitions: 2 }] });
    const driver = driverFor(kafka.brokers);
    const leaderless = kafka.on(
      'Metadata',
      async (_, control) => {
        const answer = await control.handle();
        const topics = (answer?.topics ?? []).map(({ partitions, ...topic }) => ({
          ...topic,
          partitions: partitions.map((each) =>
            each.partition === 1
              ? { ...each, errorCode: KafkaErrorCode.LEADER_NOT_AVAILABLE, leaderId: -1 }
              : each,
          ),
        }));
        return control.answer(answer && { ...answer, topics });
      },
      { times: Infinity, when: () => producing === 0 },
    );
    let producing = 0;
    const send = async (value: string, partition: number) => {
      producing++;
      await produce(driver, 'orders', [textRecord(value, { partition })]);
      producing--;
    };
    await send('early', 1);
    const config = { groupId: 'group', topics: ['orders'], maxWaitTimeMs: 20 };
    const member = await new GroupMember(driver, config).start();
    await member.owns(2);
    await send('led', 0);
    await eventually(() => member.values.includes('led'));
    await eventually(() => member.told.some(({ what }) => what === 'fetch failed'));
    expect(member.values).toEqual(['led']);
    leaderless.remove();
    await eventually(() => member.values.includes('early'));
    expect(member.states).not.toContain('restarting');
    expect(member.told.filter(({ what }) => what === 'lost')).toEqual([]);
  });

  it('that grows is dealt anew once, not once by each member', async () => {
    const kafka = await startEmbeddedKafka({ topics: [{ topic: 'orders', partitions: 2 }] });
    const join = (clientId: string, metadataMaxAgeMs: number) =>
      new GroupMember(driverFor(kafka.brokers, { clientId }), {
        groupId: 'group',
        topics: ['orders'],
        metadataMaxAgeMs,
        maxWaitTimeMs: 20,
      }).start();
    const members = await Promise.all([join('looks often', 200), join('looks seldom', 1500)]);
    await Promise.all(members.map((member) => member.owns(1)));
    const before = kafka.group('group')?.generationId ?? NaN;
    await withAdmin(kafka.brokers, (admin) =>
      admin.createPartitions({ topicPartitions: [{ topic: 'orders', count: 3 }] }),
    );
    await eventually(() => members.reduce((sum, { owned }) => sum + owned.size, 0) === 3);

    kafka.clearRequests();
    await eventually(() => {
      const asked = kafka.requests.filter(({ clientId }) => clientId === 'looks seldom');
      const looked = asked.findIndex(({ api }) => api === 'Metadata');
      return looked >= 0 && asked.slice(looked).some(({ api }) => api === 'Fetch');
    });
    expect(kafka.group('group')?.generationId).toBe(before + 1);
  });
});

function latch() {
  let release = (): void => undefined;
  const released = new Promise<void>((resolve) => (release = resolve));
  return { release, released };
}

async function deleteTopic(brokers: string[], topic: string): Promise<void> {
  await withAdmin(brokers, (admin) => admin.deleteTopics({ topics: [topic] }));
}
