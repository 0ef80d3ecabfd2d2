import { expect, it } from '@jest/globals';
import { onCleanup } from '../../support/cleanup.js';
import { describeEachKafka } from '../../support/each-kafka.js';
import { driverFor, GroupMember, produce, textRecord } from '../../support/kafka-driver.js';
import { createTopic, uniqueName, withAdmin } from '../../support/unique-topic.js';

describeEachKafka('the lag of a group', (brokers) => {
  it('is told by partition: log, committed offsets, members', async () => {
    const topic = await createTopic(brokers, { partitions: 3 });
    const groupId = uniqueName('group');
    const driver = driverFor(brokers);
    await produce(driver, topic, [
      ...Array.from({ length: 5 }, () => textRecord('x', { partition: 0 })),
      ...Array.from({ length: 3 }, () => textRecord('y', { partition: 1 })),
    ]);
    await withAdmin(brokers, async (admin) => {
      // Without the metadata that this loads kafkajs refuses the next call.
      await admin.fetchTopicOffsets(topic);
      await admin.deleteTopicRecords({ topic, partitions: [{ partition: 1, offset: '2' }] });
    });
    const member = await new GroupMember(driver, { groupId, topics: [topic] }).start();
    await member.owns(3);
    await member.consumer.commit([{ ...member.partition(`${topic}[0]`), offset: 4n }]);
    const admin = driver.admin();
    onCleanup(() => admin.close());

    expect(await admin.groupLag(groupId, [topic, uniqueName('no-such-topic')])).toEqual({
      members: 1,
      topics: [
        {
          topic,
          partitions: [
            { partition: 0, start: 0n, end: 5n, committed: 4n },
            { partition: 1, start: 2n, end: 3n, committed: null },
            { partition: 2, start: 0n, end: 0n, committed: null },
          ],
        },
      ],
    });
  });

  it('is all of the log for a group that does not exist, and does not make one', async () => {
    const topic = await createTopic(brokers);
    const groupId = uniqueName('group');
    const driver = driverFor(brokers);
    await produce(driver, topic, [textRecord('x')]);
    const admin = driver.admin();
    onCleanup(() => admin.close());

    const partitions = [{ partition: 0, start: 0n, end: 1n, committed: null }];
    expect(await admin.groupLag(groupId, [topic])).toEqual({
      members: 0,
      topics: [{ topic, partitions }],
    });
    const { groups } = await withAdmin(brokers, (other) => other.listGroups());
    expect(groups.map((group) => group.groupId)).not.toContain(groupId);
  });
});
