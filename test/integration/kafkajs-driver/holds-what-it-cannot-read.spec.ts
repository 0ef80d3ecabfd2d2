import { describe, expect, it } from '@jest/globals';
import { describeEachKafka } from '../../support/each-kafka.js';
import { startEmbeddedKafka } from '../../support/embedded-kafka.js';
import { eventually } from '../../support/eventually.js';
import { driverFor, GroupMember, produce, textRecord } from '../../support/kafka-driver.js';
import { createTopic, uniqueName } from '../../support/unique-topic.js';

/** The bound is the process's: here it holds for this file alone. */
const BOUND = 64 * 1024;
const bounded = { maxDecompressedBatchBytes: BOUND };

describeEachKafka('a batch that grows beyond the bound', (brokers) => {
  const driver = driverFor(brokers, bounded);

  it('holds its partition, named with its offset, and no other', async () => {
    const topic = await createTopic(brokers, { partitions: 2 });
    await produce(driver, topic, [textRecord('before', { partition: 0 })]);
    await produce(driver, topic, [{ ...textRecord('', { partition: 0 }), value: bomb() }]);
    await produce(driver, topic, [textRecord('after', { partition: 0 })]);
    const groupId = uniqueName('group');
    const member = await new GroupMember(driver, { groupId, topics: [topic] }).start();
    for (const value of ['0', '1', '2']) {
      await produce(driver, topic, [textRecord(value, { partition: 1 })]);
      await eventually(() => member.values.includes(value));
    }

    await eventually(() => member.fetchFailures.length > 0);
    expect(member.fetchFailures[0]).toMatch(/^reading from offset 1: .* grows beyond 65536 bytes/);
    // What is before it is whole, and comes with it in one answer.
    expect([...member.values].sort()).toEqual(['0', '1', '2', 'before']);
    expect(member.states).not.toContain('restarting');
    expect(member.told.filter(({ what }) => what === 'lost')).toEqual([]);
  });
});

describe('a batch that is broken', () => {
  it('for a while holds its partition for so long, and no other', async () => {
    const kafka = await startEmbeddedKafka({ topics: [{ topic: 'orders', partitions: 2 }] });
    const driver = driverFor(kafka.brokers, bounded);
    const broken = kafka.on(
      'Fetch',
      async (_, control) => {
        const answer = await control.handle();
        const topics = (answer?.topics ?? []).map(({ topic, partitions }) => ({
          topic,
          partitions: partitions.map((each) =>
            each.partition === 0 ? { ...each, batches: each.batches.map(torn) } : each,
          ),
        }));
        return control.answer(answer && { ...answer, topics });
      },
      { times: Infinity },
    );
    const config = { groupId: 'group', topics: ['orders'], maxWaitTimeMs: 20 };
    const member = await new GroupMember(driver, config).start();
    await produce(driver, 'orders', [textRecord('broken', { partition: 0 })]);
    await eventually(() => member.fetchFailures.length > 0);
    for (const value of ['0', '1', '2']) {
      await produce(driver, 'orders', [textRecord(value, { partition: 1 })]);
      await eventually(() => member.values.includes(value));
    }
    broken.remove();
    await eventually(() => member.values.includes('broken'));
    expect(member.states).not.toContain('restarting');
  });
});

function bomb(): Buffer {
  return Buffer.alloc(4 * BOUND);
}

/** With another content than it was compressed from. */
function torn(batch: Uint8Array): Buffer {
  const bytes = Buffer.from(batch);
  bytes.fill(0xff, 61 + 10, bytes.length - 2);
  return bytes;
}
