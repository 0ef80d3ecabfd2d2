import { expect, it } from '@jest/globals';

import {
  EventPublisher,
  KafkaEventsHealth,
  KafkaEventsModule,
  MaterialisedViews,
  MemoryViewStore,
  ViewBehindError,
  ViewNotReadyError,
  event,
  type KafkaEventsModuleOptions,
} from '../../../lib/index.js';
import { EmbeddedKafka } from '../../../lib/testing/index.js';
import { onCleanup } from '../../support/cleanup.js';
import { describeEachKafka } from '../../support/each-kafka.js';
import { committedOffsets, createEventTopic } from '../../support/event-topic.js';
import { eventually } from '../../support/eventually.js';
import { readWithKcat } from '../../support/kcat.js';
import { bootApp, quickOptions } from '../../support/nest-app.js';
import {
  hasAllThereIs,
  POISON,
  rowsOf,
  StockCounted,
  StockLoad,
  StockMoved,
  stockInTopic,
  stockView,
} from '../../support/stock-view.js';
import { uniqueName, withAdmin } from '../../support/unique-topic.js';

const PARTITIONS = 3;
const StockView = stockView();

describeEachKafka('views in memory', (brokers) => {
  async function boot(topic: string, groupId: string, options: KafkaEventsModuleOptions = {}) {
    const views = { store: 'memory' as const, views: [StockView] };
    const app = await bootApp({
      imports: [
        KafkaEventsModule.forRoot(quickOptions(brokers, groupId, topic, { views, ...options })),
      ],
    });
    return {
      app,
      events: app.get(EventPublisher),
      views: app.get(MaterialisedViews),
      health: () => app.get(KafkaEventsHealth).check(),
    };
  }

  it('show what the topic says, once they have caught up at boot, and not before', async () => {
    const topic = await createEventTopic(brokers, PARTITIONS);
    const groupId = uniqueName('group');
    const { app: first, events } = await boot(topic, groupId);
    const load = new StockLoad(events, 20);
    await eventually(() => load.published > 600);
    await load.stop();
    await first.close();

    const { views, health } = await boot(topic, groupId);
    const seen = new Set<string>();
    await eventually(async () => {
      const {
        ready,
        views: [view],
        problems,
      } = health();
      seen.add(view?.state ?? '');
      const row = await views
        .of(StockView)
        .get('sku-1')
        .catch((error: unknown) => error);
      expect(row instanceof ViewNotReadyError).toBe(!ready);
      if (!ready) expect(problems.join()).toContain('"stock-level" is being built');
      return ready;
    });

    // Ready, it has all that was there: nothing has to be waited for.
    expect(await rowsOf(views.of(StockView))).toEqual(await stockInTopic(brokers, topic));
    expect([...seen].at(-1)).toBe('live');
    expect(views.of(StockView).staleness().ageMs).toBeLessThan(10_000);
  });

  it('show their own process what it has just written, while others write', async () => {
    const topic = await createEventTopic(brokers, PARTITIONS);
    const { events, views } = await boot(topic, uniqueName('group'));
    await eventually(() => rowsOf(views.of(StockView)).then(() => true));
    const load = new StockLoad(events, 10, 100);
    const stock = views.of(StockView);
    for (let i = 1; i <= 50; i++) {
      const receipt = await events.publish(StockMoved, { sku: 'mine', quantity: 1, number: i });
      await stock.waitFor(receipt);
      expect((await stock.get('mine'))?.value.available).toBe(i);
    }
    const receipts = await events.publishAll([
      event(StockMoved, { sku: 'a', quantity: 1, number: 1 }),
      event(StockMoved, { sku: 'b', quantity: 2, number: 1 }),
      event(StockCounted, { sku: 'b', right: true }),
    ]);
    await stock.waitFor(receipts);
    expect([...(await stock.getMany(['a', 'b', 'c'])).keys()].sort()).toEqual(['a', 'b']);
    await load.stop();
  });

  it('wait for what means nothing to them, too, and say how far they are', async () => {
    const topic = await createEventTopic(brokers, 1);
    const { events, views } = await boot(topic, uniqueName('group'));
    const { offset } = await events.publish(StockCounted, { sku: 'a', right: true });
    const stock = views.of(StockView);
    await stock.waitFor({ topic, partition: 0, offset });
    await stock.waitFor({ topic: 'another', partition: 0, offset: '99' });
    const late = stock.waitFor({ topic, partition: 0, offset: '9' }, { timeoutMs: 50 });
    await expect(late).rejects.toThrow(ViewBehindError);
    await expect(late).rejects.toThrow('still 9 record(s) behind after 50 ms');
    const reason = new Error('changed my mind');
    const signal = AbortSignal.abort(reason);
    await expect(stock.waitFor({ topic, partition: 0, offset: '9' }, { signal })).rejects.toBe(
      reason,
    );
    await eventually(() => stock.staleness().recordsBehind === 0);
  });

  it('go on behind a record that cannot be applied once that is dead-lettered, and lose none', async () => {
    const topic = await createEventTopic(brokers, 1);
    const { events, views } = await boot(topic, uniqueName('group'));
    for (let number = 0; number < 60; number++) {
      const quantity = number % 20 === 7 ? POISON : 1;
      await events.publish(StockMoved, { sku: `sku-${String(number % 3)}`, quantity, number });
    }
    const last = await events.publish(StockMoved, { sku: 'last', quantity: POISON, number: 0 });
    await views.of(StockView).waitFor(last, { timeoutMs: 20_000 });
    expect(await rowsOf(views.of(StockView))).toEqual(await stockInTopic(brokers, topic));
    expect(await readWithKcat(brokers, `${topic}.dlq`)).toHaveLength(4);
  });

  it('commit nothing, so that the broker forgets their groups when they go', async () => {
    const topic = await createEventTopic(brokers, 1);
    const groupId = uniqueName('group');
    const { app, events, views, health } = await boot(topic, groupId);
    const receipt = await events.publish(StockMoved, { sku: 'a', quantity: 1, number: 0 });
    await views.of(StockView).waitFor(receipt);
    const [group = ''] = health().views[0]?.groupIds ?? [];
    expect(group.startsWith(`${groupId}.stock-level.v1.`)).toBe(true);
    await app.close();
    expect(await committedOffsets(brokers, group, topic)).toEqual([-1]);
  });

  it('are rebuilt while they are read and written to, and never go back', async () => {
    const topic = await createEventTopic(brokers, PARTITIONS);
    const { events, views, health } = await boot(topic, uniqueName('group'));
    const load = new StockLoad(events, 10);
    await eventually(() => load.published > 300);
    await eventually(() => health().ready);
    const before = health().views[0]?.groupIds;
    let rebuilt = false;
    const rebuilding = views
      .of(StockView)
      .rebuild()
      .then(() => (rebuilt = true));
    const versions = new Map<string, number>();
    const reader = async (): Promise<void> => {
      while (!rebuilt) {
        const receipt = await events.publish(StockMoved, { sku: 'mine', quantity: 1, number: 1 });
        await views.of(StockView).waitFor(receipt);
        const row = await views.of(StockView).get('mine');
        expect(row?.version).toBe((versions.get('mine') ?? 0) + 1);
        versions.set('mine', row?.version ?? 0);
      }
    };
    await Promise.all([rebuilding, reader()]);
    await load.stop();
    const after = health().views[0];
    expect(after?.groupIds).not.toEqual(before);
    await hasAllThereIs(views.of(StockView));
    expect(await rowsOf(views.of(StockView))).toEqual(await stockInTopic(brokers, topic));
  });
});

it('views are kept from when there is a broker', async () => {
  const kafka = await EmbeddedKafka.start();
  onCleanup(() => kafka.stop());
  const topic = await createEventTopic(kafka.brokers, 1);
  await kafka.stopBroker(0);
  const views = { store: 'memory' as const, views: [StockView] };
  const app = await bootApp({
    imports: [
      KafkaEventsModule.forRoot(quickOptions(kafka.brokers, uniqueName('group'), topic, { views })),
    ],
  });
  const { ready, problems } = app.get(KafkaEventsHealth).check();
  expect(ready).toBe(false);
  expect(problems.join()).toContain('"stock-level" is not kept up to date');
  const stock = app.get(MaterialisedViews).of(StockView);
  await expect(stock.get('a')).rejects.toThrow(ViewNotReadyError);
  await kafka.startBroker(0);
  await app.get(KafkaEventsHealth).whenReady({ timeoutMs: 20_000 });
  const receipt = await app
    .get(EventPublisher)
    .publish(StockMoved, { sku: 'a', quantity: 1, number: 0 });
  await stock.waitFor(receipt);
  expect(app.get(KafkaEventsHealth).check().problems).toEqual([]);
});

it('a view in memory that is full says so, forgets nothing, and loses nothing', async () => {
  const kafka = await EmbeddedKafka.start();
  onCleanup(() => kafka.stop());
  const topic = await createEventTopic(kafka.brokers, 1);
  const views = { store: new MemoryViewStore({ maxRows: 2 }), views: [StockView] };
  const app = await bootApp({
    imports: [
      KafkaEventsModule.forRoot(quickOptions(kafka.brokers, uniqueName('group'), topic, { views })),
    ],
  });
  const { events, stock } = {
    events: app.get(EventPublisher),
    stock: app.get(MaterialisedViews).of(StockView),
  };
  await app.get(KafkaEventsHealth).whenReady();
  for (const sku of ['a', 'b', 'c']) {
    await events.publish(StockMoved, { sku, quantity: 1, number: 0 });
  }
  await eventually(() =>
    app.get(KafkaEventsHealth).check().problems.join().includes('has 2 rows, as many as it may'),
  );
  const last = await events.publish(StockMoved, { sku: 'a', quantity: 1, number: 1 });
  await expect(stock.waitFor(last, { timeoutMs: 100 })).rejects.toThrow(ViewBehindError);
  expect(kafka.endOffsets(`${topic}.dlq`)).toEqual([0n]);
});

it('a view says what retention has removed before it was built, and is made of what is left', async () => {
  const kafka = await EmbeddedKafka.start();
  onCleanup(() => kafka.stop());
  const topic = await createEventTopic(kafka.brokers, 1);
  const groupId = uniqueName('group');
  const gone: string[] = [];
  const options = quickOptions(kafka.brokers, groupId, topic, {
    views: { store: 'memory', views: [StockView] },
    observers: [
      {
        onViewRecordsGone: ({ view, topic: of, partition, start }) =>
          gone.push(`${view} ${of}[${String(partition)}] before ${String(start)}`),
      },
    ],
  });
  const boot = () => bootApp({ imports: [KafkaEventsModule.forRoot(options)] });
  const first = await boot();
  for (const sku of ['a', 'b', 'c']) {
    await first.get(EventPublisher).publish(StockMoved, { sku, quantity: 1, number: 0 });
  }
  await hasAllThereIs(first.get(MaterialisedViews).of(StockView));
  expect(gone).toEqual([]);
  await first.close();
  await withAdmin(kafka.brokers, async (admin) => {
    // Only after it was asked for something else does kafkajs know the topic.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '2' }] });
  });

  const second = await boot();
  await second.get(KafkaEventsHealth).whenReady();
  expect(Object.keys(await rowsOf(second.get(MaterialisedViews).of(StockView)))).toEqual(['c']);
  expect(gone).toEqual([`stock-level ${topic}[0] before 2`]);
});

it('a view says that its log ends before what it has, as that of a topic that was made anew', async () => {
  const kafka = await EmbeddedKafka.start();
  onCleanup(() => kafka.stop());
  const topic = await createEventTopic(kafka.brokers, 1);
  const views = { store: 'memory' as const, views: [StockView] };
  const options = quickOptions(kafka.brokers, uniqueName('group'), topic, { views });
  const app = await bootApp({ imports: [KafkaEventsModule.forRoot(options)] });
  for (const sku of ['a', 'b', 'c']) {
    await app.get(EventPublisher).publish(StockMoved, { sku, quantity: 1, number: 0 });
  }
  await hasAllThereIs(app.get(MaterialisedViews).of(StockView));
  const problems = () => app.get(KafkaEventsHealth).check().problems.join();
  expect(problems()).toBe('');
  kafka.truncate(topic, 0, 1);
  await eventually(() =>
    problems().includes(`${topic}[0] ends at 1, and the view has events up to 3`),
  );
});
