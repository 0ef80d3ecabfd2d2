import { expect, it } from '@jest/globals';

import {
  EventPublisher,
  KafkaEventsHealth,
  KafkaEventsModule,
  MaterialisedViews,
  type KafkaEventsModuleOptions,
  type ViewStore,
} from '../../../lib/index.js';
import { PostgresViewStore } from '../../../lib/postgres/index.js';
import { TestProcess } from '../../support/child-process.js';
import { describeEachKafka } from '../../support/each-kafka.js';
import { createEventTopic } from '../../support/event-topic.js';
import { eventually } from '../../support/eventually.js';
import { readWithKcat } from '../../support/kcat.js';
import { bootApp, quickOptions } from '../../support/nest-app.js';
import { describeRealPostgres, postgresPool, startPostgres } from '../../support/real-postgres.js';
import {
  hasAllThereIs,
  rowsOf,
  StockLoad,
  StockMoved,
  stockInTopic,
  stockView,
} from '../../support/stock-view.js';
import { uniqueName } from '../../support/unique-topic.js';
import type { KeeperSetup } from './keeps-a-view.child.js';

const PARTITIONS = 3;
const CHILD = 'test/integration/views/keeps-a-view.child.ts';
const StockView = stockView();

describeRealPostgres('a view in Postgres', (url) => {
  describeEachKafka('kept by several instances', (brokers) => {
    async function place() {
      const store = new PostgresViewStore({ pool: postgresPool(url()) });
      await store.createTables();
      return {
        topic: await createEventTopic(brokers, PARTITIONS),
        groupId: uniqueName('group'),
        store,
      };
    }

    async function boot(
      { topic, groupId, store }: { topic: string; groupId: string; store: ViewStore },
      { view = StockView, ...options }: KafkaEventsModuleOptions & { view?: typeof StockView } = {},
    ) {
      const views = { store, views: [view] };
      const module = KafkaEventsModule.forRoot(
        quickOptions(brokers, groupId, topic, { views, ...options }),
      );
      const app = await bootApp({ imports: [module] });
      return {
        app,
        events: app.get(EventPublisher),
        stock: app.get(MaterialisedViews).of(view),
        check: () => app.get(KafkaEventsHealth).check(),
      };
    }

    it('shows each of them what any of them has written, as soon as that was waited for', async () => {
      const at = await place();
      const one = await boot(at);
      const two = await boot(at);
      const reader = await boot(at, { consume: false });
      await eventually(() => [one, two, reader].every(({ check }) => check().ready));
      const load = new StockLoad(one.events, 10, 100);
      for (let i = 1; i <= 30; i++) {
        const receipt = await two.events.publish(StockMoved, {
          sku: 'mine',
          quantity: 1,
          number: i,
        });
        for (const { stock } of [one, two, reader]) {
          await stock.waitFor(receipt);
          expect((await stock.get('mine'))?.value.available).toBe(i);
        }
      }
      await load.stop();
      await hasAllThereIs(reader.stock);
      expect(await rowsOf(reader.stock)).toEqual(await stockInTopic(brokers, at.topic));
      expect(reader.stock.staleness().recordsBehind).toBe(0);
    }, 60_000);

    it('is rebuilt while writes go on, although all who build it are killed in the middle', async () => {
      const at = await place();
      const reader = await boot(at, { consume: false });
      const setup: KeeperSetup = {
        ...{ brokers, topic: at.topic, groupId: at.groupId },
        ...{ url: url(), version: 1, applyMs: 2 },
      };
      const startKeeper = () => TestProcess.start(CHILD, { args: [JSON.stringify(setup)] });
      const keepers = [startKeeper(), startKeeper()];
      const before = new StockLoad(reader.events, 10);
      await eventually(() => before.published > 1_500, { timeoutMs: 30_000 });
      await before.stop();
      const load = new StockLoad(reader.events, 10, before.published, 40);
      await eventually(() => reader.check().ready, { timeoutMs: 60_000 });

      const ref = { view: `${at.groupId}.stock-level`, version: 1 };
      const rebuilt = reader.stock.rebuild();
      const isInTheMiddle = async () => {
        const building = (await at.store.generations(ref)).find(
          ({ state }) => state === 'building',
        );
        const applied = building?.positions.reduce((sum, { offset }) => sum + Number(offset), 0);
        return applied !== undefined && applied > 100 && applied < before.published * 0.9;
      };
      await eventually(isInTheMiddle, { timeoutMs: 30_000, intervalMs: 5 });
      const old = (await at.store.generations(ref)).find(({ state }) => state === 'live');
      await Promise.all(keepers.map((keeper) => keeper.kill()));
      expect((await at.store.generations(ref)).map(({ state }) => state).sort()).toEqual([
        'building',
        'live',
      ]);
      startKeeper();
      startKeeper();
      await rebuilt;
      await load.stop();

      const after = await at.store.generations(ref);
      expect(after.map(({ state }) => state)).toEqual(['live']);
      expect(after[0]?.id).not.toBe(old?.id);
      await hasAllThereIs(reader.stock);
      expect(await rowsOf(reader.stock)).toEqual(await stockInTopic(brokers, at.topic));
    }, 120_000);

    it('is built anew for a new version, while instances of the old one go on to read theirs', async () => {
      const at = await place();
      const old = await boot(at);
      const load = new StockLoad(old.events, 10);
      await eventually(() => load.published > 200);
      const view = stockView({ version: 2 });
      const next = await boot(at, { view });
      await eventually(() => next.check().ready, { timeoutMs: 20_000 });
      await load.stop();
      for (const { stock } of [old, next]) {
        await hasAllThereIs(stock);
        expect(await rowsOf(stock)).toEqual(await stockInTopic(brokers, at.topic));
      }
    }, 60_000);

    it('fails the boot without its tables, and says how to make them', async () => {
      const at = await place();
      const store = new PostgresViewStore({ pool: postgresPool(url()), schema: 'not_there' });
      await expect(boot({ ...at, store })).rejects.toMatchObject({ code: 'MISSING_TABLES' });
    });

    it('loses and dead-letters nothing while its Postgres is killed and started again', async () => {
      const server = await startPostgres();
      const at = {
        ...(await place()),
        store: new PostgresViewStore({ connectionString: server.urlOf('postgres') }),
      };
      await at.store.createTables();
      const { events, stock, check } = await boot(at);
      await eventually(() => check().ready);
      const load = new StockLoad(events, 10);
      for (let kills = 0; kills < 2; kills++) {
        const before = load.published;
        await eventually(() => load.published > before + 200);
        await server.shutDown();
        await eventually(() => check().problems.some((each) => each.includes('"stock-level"')));
        await server.boot();
      }
      await load.stop();
      await hasAllThereIs(stock);
      expect(await rowsOf(stock)).toEqual(await stockInTopic(brokers, at.topic));
      expect(await readWithKcat(brokers, `${at.topic}.dlq`)).toEqual([]);
      await eventually(() => check().problems.length === 0);
    }, 90_000);
  });
});
