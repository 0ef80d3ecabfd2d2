import { expect, it } from '@jest/globals';

import { describeEachKafka } from '../../support/each-kafka.js';
import { KafkaJsMember, kafkaJs } from '../../support/embedded-kafka.js';
import { eventually } from '../../support/eventually.js';
import { driverFor, GroupMember } from '../../support/kafka-driver.js';
import { createTopic, uniqueName } from '../../support/unique-topic.js';

describeEachKafka('partitions of a group of ours', (brokers) => {
  const driver = driverFor(brokers);
  const join = (groupId: string, ...topics: string[]) =>
    new GroupMember(driver, { groupId, topics }).start();

  /** Waits until the members own so many each, in any order. */
  const share = async (members: readonly GroupMember[], ...counts: number[]): Promise<void> => {
    const wanted = counts.toSorted().join();
    await eventually(
      () =>
        members
          .map(({ owned }) => owned.size)
          .toSorted()
          .join() === wanted,
      {
        timeoutMs: 20_000,
        message: `shares of ${wanted}`,
      },
    );
  };

  const owners = (members: readonly GroupMember[]) =>
    new Map(members.flatMap((member) => [...member.owned.keys()].map((name) => [name, member])));
  /** How many partitions changed hands. Counted by owner: a member that saw a rebalance too few rightly begins anew. */
  const moved = (before: ReturnType<typeof owners>, members: readonly GroupMember[]) =>
    [...owners(members)].filter(([name, member]) => before.get(name) !== member).length;

  it('move no more than they must when members join and leave', async () => {
    const topic = await createTopic(brokers, { partitions: 12 });
    const groupId = uniqueName('group');
    const first = await join(groupId, topic);
    await share([first], 12);
    const alone = owners([first]);
    const second = await join(groupId, topic);
    await share([first, second], 6, 6);
    expect(moved(alone, [first, second])).toBe(6);
    const two = owners([first, second]);
    const third = await join(groupId, topic);
    await share([first, second, third], 4, 4, 4);
    expect(moved(two, [first, second, third])).toBe(4);
    const three = owners([first, second, third]);
    const fourth = await join(groupId, topic);
    await share([first, second, third, fourth], 3, 3, 3, 3);
    expect(moved(three, [first, second, third, fourth])).toBe(3);

    const stay = [first, third, fourth];
    const four = owners([...stay, second]);
    await second.consumer.stop(5_000);

    await share(stay, 4, 4, 4);
    // Those of the one that left are shared out, and nothing else changes hands.
    expect(moved(four, stay)).toBe(3);
  });

  it('go to members that subscribe to their topic, whoever leads', async () => {
    const orders = await createTopic(brokers, { partitions: 4 });
    const stock = await createTopic(brokers, { partitions: 2 });
    const groupId = uniqueName('group');
    const old = await join(groupId, orders);
    await share([old], 4);
    // A new version takes another topic; the one that leads does not know of it.
    const recent = await join(groupId, orders, stock);

    await share([old, recent], 3, 3);
    expect([...recent.owned.keys()].filter((name) => name.startsWith(stock))).toHaveLength(2);
    expect([...old.owned.keys()].every((name) => name.startsWith(orders))).toBe(true);
  });

  it('are shared with members on plain kafkajs, which come over one by one', async () => {
    const topic = await createTopic(brokers, { partitions: 4 });
    const groupId = uniqueName('group');
    const plain = await KafkaJsMember.join(kafkaJs(brokers), groupId, [topic]);
    await eventually(() => plain.assigned[topic]?.length === 4);

    const ours = await join(groupId, topic);
    await share([ours], 2);
    await eventually(() => plain.assigned[topic]?.length === 2);
    await plain.consumer.disconnect();

    await share([ours], 4);
  });
});
