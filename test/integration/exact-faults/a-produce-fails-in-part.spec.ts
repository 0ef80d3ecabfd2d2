import { describe, expect, it } from '@jest/globals';
import { PublishAllError, type OutgoingEvent } from '../../../lib/index.js';
import { eventually } from '../../support/eventually.js';
import { FaultyShop, TOPIC } from '../../support/faulty-shop.js';
import { eventIdsIn } from '../../support/test-publisher.js';

const FAILING = { topic: TOPIC, partition: 1 };

describe('a produce to three partitions', () => {
  it.each(['NOT_LEADER_OR_FOLLOWER', 'REQUEST_TIMED_OUT', 'NOT_ENOUGH_REPLICAS'] as const)(
    'that one of them fails with %s is made again for that one',
    async (error) => {
      const { shop, publish, log } = await opened();
      const failed = shop.kafka.failProduce(FAILING, error, { times: 2 });
      const { acknowledged, failures } = await publish();

      expect(failed.hits).toBe(2);
      expect(failures).toEqual([]);
      expect(acknowledged).toHaveLength(6);
      expect((await log()).sort()).toEqual(acknowledged.sort());
      await shop.keepsItsPromise();
    },
  );

  it('that one of them finds too large stores the others, and refuses what was there', async () => {
    const { shop, publish, log, consume } = await opened();
    const failed = shop.kafka.failProduce(FAILING, 'MESSAGE_TOO_LARGE', { times: Infinity });
    const { acknowledged, failures } = await publish();

    expect(acknowledged.sort()).toEqual(['p0-0', 'p0-1', 'p2-0', 'p2-1']);
    expect(idsOf(failures).sort()).toEqual(['p1-0', 'p1-1']);
    expect(await log()).toEqual(expect.arrayContaining(acknowledged));
    failed.remove();
    await consume(failures);
  });

  it('that one of them may not be written to acknowledges nothing that is not there', async () => {
    const { shop, publish, log, consume } = await opened();
    const failed = shop.kafka.failProduce(FAILING, 'TOPIC_AUTHORIZATION_FAILED', {
      times: Infinity,
    });
    const { acknowledged, failures } = await publish();

    expect(acknowledged.length + failures.length).toBe(6);
    expect(idsOf(failures)).toEqual(expect.arrayContaining(['p1-0', 'p1-1']));
    expect(await log()).toEqual(expect.arrayContaining(acknowledged));
    failed.remove();
    await consume(failures);
  });

  it.each([
    ['the connection', 'closeConnection'],
    ['time', 'swallow'],
  ] as const)('whose answer is lost with %s is stored once', async (_, lose) => {
    const { shop, publish, log } = await opened();
    const lost = shop.kafka.on('Produce', async (_request, control) => {
      await control.handle();
      return control[lose]();
    });
    const { acknowledged, failures } = await publish();

    expect(lost.hits).toBe(1);
    expect(failures).toEqual([]);
    expect(acknowledged).toHaveLength(6);
    expect((await log()).sort()).toEqual(acknowledged.sort());
    await shop.keepsItsPromise();
  });

  it('whose answer is lost after a part of it was stored is stored once', async () => {
    const { shop, publish, log } = await opened();
    const lost = shop.kafka.on('Produce', async (request, control) => {
      const topics = request.topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.slice(0, 1),
      }));
      await control.handle({ ...request, topics });
      return control.closeConnection();
    });
    const { acknowledged, failures } = await publish();

    expect(lost.hits).toBe(1);
    expect(failures).toEqual([]);
    expect((await log()).sort()).toEqual(acknowledged.sort());
    await shop.keepsItsPromise();
  });

  it.each([
    ['retriably', 'NOT_LEADER_OR_FOLLOWER', true],
    ['finally', 'MESSAGE_TOO_LARGE', false],
  ] as const)(
    'that failed %s leaves the next ones what they are: acknowledged is stored',
    async (_, error, all) => {
      const { shop, publish, log } = await opened();
      // All its retries, and the producer with it.
      const failed = shop.kafka.failProduce(FAILING, error, { times: 7 });
      const first = publish();
      await eventually(() => failed.hits > 0);
      const second = publish();
      const { acknowledged, failures } = await both(first, second);

      expect(failures.length === 0).toBe(all);
      const stored = await log();
      expect(acknowledged.filter((id) => !stored.includes(id))).toEqual([]);
      // Published again, what failed comes after what did not: of its key, too.
      expect((await publish(failures)).failures).toEqual([]);
      await shop.commits(shop.ends);
      expect(shop.runs).toEqual([...acknowledged, ...idsOf(failures)].sort());
      expect(shop.wrongCommits).toEqual([]);
    },
  );
});

interface Published {
  readonly acknowledged: string[];
  readonly failures: OutgoingEvent[];
}

/** A member of the shop whose next produce is the first one with orders in it. */
async function opened() {
  const shop = await FaultyShop.open();
  const member = await shop.join();

  /** Two orders for each partition. */
  async function publish(
    orders = [0, 1, 2].flatMap((partition) => shop.orders(partition, 2)),
  ): Promise<Published> {
    try {
      const receipts = await member.publisher.publishAll(orders);
      return { acknowledged: receipts.map(({ eventId }) => eventId), failures: [] };
    } catch (error) {
      if (!(error instanceof PublishAllError)) throw error;
      const acknowledged = error.receipts.map(({ eventId }) => eventId);
      const failures = orders.filter(
        ({ options }) => !acknowledged.includes(options.eventId ?? ''),
      );
      expect(error.failures).toHaveLength(failures.length);
      return { acknowledged, failures };
    }
  }
  return {
    shop,
    publish,
    log: () => eventIdsIn(shop.kafka.brokers, TOPIC),
    /** What failed is published again under its ids, as a caller would; then each runs once. */
    consume: async (failures: OutgoingEvent[]): Promise<void> => {
      expect((await publish(failures)).failures).toEqual([]);
      await shop.keepsItsPromise();
    },
  };
}

function idsOf(orders: readonly OutgoingEvent[]): (string | undefined)[] {
  return orders.map(({ options }) => options.eventId);
}

async function both(...publishing: Promise<Published>[]): Promise<Published> {
  const published = await Promise.all(publishing);
  return {
    acknowledged: published.flatMap(({ acknowledged }) => acknowledged),
    failures: published.flatMap(({ failures }) => failures),
  };
}
