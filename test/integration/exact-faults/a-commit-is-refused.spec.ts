import { describe, expect, it } from '@jest/globals';
import type { ResponseOf } from '../../../lib/testing/embedded-kafka/requests/request-table.js';
import { KafkaErrorCode } from '../../../lib/testing/embedded-kafka/wire/kafka-error.js';
import { eventually } from '../../support/eventually.js';
import { FaultyShop } from '../../support/faulty-shop.js';

describe('a commit', () => {
  it.each([
    'REBALANCE_IN_PROGRESS',
    'ILLEGAL_GENERATION',
    'UNKNOWN_MEMBER_ID',
    'NOT_COORDINATOR',
    'COORDINATOR_LOAD_IN_PROGRESS',
    'GROUP_AUTHORIZATION_FAILED',
  ] as const)('refused with %s is made again, and nothing runs again for it', async (error) => {
    const shop = await FaultyShop.open();
    const refused = shop.kafka.on('OffsetCommit', (_, control) => control.fail(error), {
      times: 2,
    });
    const member = await shop.join();
    for (const partition of [0, 1, 2]) await shop.order(partition, 4);

    await shop.keepsItsPromise();
    expect(refused.hits).toBe(2);
    expect(member.health.counts.commitFailed).toBe(2);
    expect(member.health).toMatchObject({ status: 'up', ready: true });
  });

  it('refused for as long as it takes an operator to notice holds nobody up, and is told', async () => {
    const shop = await FaultyShop.open();
    const refused = shop.kafka.on(
      'OffsetCommit',
      (_, control) => control.fail('GROUP_AUTHORIZATION_FAILED'),
      { times: Infinity },
    );
    const member = await shop.join();
    await shop.done(await shop.order(0, 2));
    await eventually(() => refused.hits >= 3);
    await shop.done(await shop.order(1, 2));

    expect(shop.committed).toEqual([0, 0, 0]);
    expect(member.health.status).toBe('degraded');
    expect(member.health.problems.join()).toMatch(/could not commit \d+ times in a row/);
    refused.remove();
    await shop.keepsItsPromise();
    await eventually(() => member.health.status === 'up');
  });

  it.each([
    ['the connection', 'closeConnection'],
    ['time', 'swallow'],
  ] as const)('whose answer is lost with %s is made again, and does no harm', async (_, lose) => {
    const shop = await FaultyShop.open();
    const lost = shop.kafka.on('OffsetCommit', async (_request, control) => {
      await control.handle();
      return control[lose]();
    });
    const member = await shop.join();
    await shop.done(await shop.order(0, 3));
    await eventually(() => member.health.counts.commitFailed === 1);
    await shop.order(0, 3);

    await shop.keepsItsPromise();
    expect(lost.hits).toBe(1);
  });

  it('refused for one of its partitions stands for the others', async () => {
    const shop = await FaultyShop.open();
    const refused = shop.kafka.on(
      'OffsetCommit',
      async (request, control) => {
        const topics = request.topics.map(({ topic, partitions }) => ({
          topic,
          partitions: partitions.filter(({ partition }) => partition !== 1),
        }));
        const answer = await control.handle({ ...request, topics });
        return control.answer(answer && withRefusal(answer, 1));
      },
      { times: Infinity, when: ({ topics }) => topics.some(coversPartition(1)) },
    );
    const member = await shop.join();
    for (const partition of [0, 1, 2]) await shop.order(partition, 2);
    await shop.commits([2, 0, 2]);
    for (const partition of [0, 1, 2]) await shop.order(partition, 2);
    await shop.commits([4, 0, 4]);
    expect(refused.hits).toBeGreaterThan(0);
    refused.remove();

    await shop.keepsItsPromise();
    expect(member.health.status).toBe('up');
  });

  it('that takes long is overtaken by none: what settles meanwhile is the next one', async () => {
    const shop = await FaultyShop.open();
    let accept = (): void => undefined;
    const accepted = new Promise<void>((resolve) => (accept = resolve));
    const slow = shop.kafka.on('OffsetCommit', async (_request, control) => {
      await accepted;
      return control.delay(0);
    });
    const held = ['p0-1', 'p0-2', 'p0-3', 'p0-4'].map((id) => ({ id, order: shop.hold(id) }));
    await shop.join({ requestTimeoutMs: 10_000 });
    await shop.order(0, 5);
    await eventually(() => slow.hits === 1);
    for (const { id, order } of held) {
      order.finish();
      await shop.done([id]);
    }
    accept();

    await shop.keepsItsPromise();
    expect(shop.kafka.requestsOf('OffsetCommit')).toHaveLength(2);
  });
});

function coversPartition(partition: number) {
  return ({ partitions }: { readonly partitions: readonly { readonly partition: number }[] }) =>
    partitions.some((asked) => asked.partition === partition);
}

/** The answer, with that partition's commit refused in it. */
function withRefusal(answer: ResponseOf<'OffsetCommit'>, partition: number) {
  const refusal = { partition, errorCode: KafkaErrorCode.REBALANCE_IN_PROGRESS };
  return {
    topics: answer.topics.map(({ topic, partitions }) => ({
      topic,
      partitions: [...partitions, refusal],
    })),
  };
}
