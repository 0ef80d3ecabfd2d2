import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { Payload } from '@nestjs/microservices';
import { IsString } from 'class-validator';

import {
  DomainEvent,
  event,
  EventHandler,
  EventOutbox,
  KafkaEventsHealth,
  KafkaEventsModule,
  MissingTablesError,
  type KafkaEventsModuleOptions,
  type KafkaEventsObserver,
  type OutboxOptions,
  type Signals,
} from '../../../lib/index.js';
import { inTransaction, PostgresOutbox } from '../../../lib/postgres/index.js';
import type { EmbeddedKafka } from '../../../lib/testing/index.js';
import { onCleanup } from '../../support/cleanup.js';
import { startEmbeddedKafka } from '../../support/embedded-kafka.js';
import { createDeadLetterTopic, createEventTopic } from '../../support/event-topic.js';
import { eventually } from '../../support/eventually.js';
import { bootApp, quickOptions } from '../../support/nest-app.js';
import { createDatabase, describeRealPostgres, postgresPool } from '../../support/real-postgres.js';
import { OrderCreated, StockReserved } from '../../support/shop-events.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { createTopic, uniqueName } from '../../support/unique-topic.js';

const LEASE_MS = 1_500;

@DomainEvent({ type: 'noted', version: 1, topic: 'orders', key: 'about' })
class Noted {
  @IsString() about!: string;
  @IsString() text!: string;
}

describeRealPostgres('an outbox', (url) => {
  let kafka: EmbeddedKafka;
  let pool: ReturnType<typeof postgresPool>;
  let orders: string;
  let database: string;

  beforeEach(async () => {
    kafka = await startEmbeddedKafka();
    database = await createDatabase(url());
    pool = postgresPool(database, { max: 20 });
    orders = await createEventTopic(kafka.brokers, 3);
    await new PostgresOutbox({ pool }).createTables();
  });

  /** An application with the outbox; `seen` is what its handler was given. */
  async function openShop(
    overrides: KafkaEventsModuleOptions = {},
    { store = new PostgresOutbox({ pool }), ...outbox }: Partial<OutboxOptions> = {},
  ) {
    const seen: string[] = [];
    const held: Signals['outboxHeld'][] = [];
    const failed: Signals['outboxFailed'][] = [];
    const notes: Noted[] = [];
    class Orders {
      @EventHandler(OrderCreated)
      handle(@Payload() { orderId }: OrderCreated): void {
        seen.push(orderId);
      }

      @EventHandler(Noted)
      note(@Payload() note: Noted): void {
        notes.push(note);
      }
    }
    const observer: KafkaEventsObserver = {
      onOutboxHeld: (signal) => void held.push(signal),
      onOutboxFailed: (signal) => void failed.push(signal),
    };
    const options = quickOptions(kafka.brokers, uniqueName('group'), orders, {
      observers: [observer],
      outbox: { store, leaseMs: LEASE_MS, ...outbox },
      ...overrides,
    });
    const app = await bootApp({
      imports: [KafkaEventsModule.forRoot(options)],
      providers: [Orders],
    });
    return {
      ...{ app, seen, notes, held, failed },
      outbox: app.get(EventOutbox),
      health: () => app.get(KafkaEventsHealth).check(),
    };
  }

  const order = (orderId: string) => event(OrderCreated, { orderId });
  const rows = async () =>
    (await pool.query<{ event_id: string }>('SELECT event_id FROM kafka_events.outbox')).rows;

  it('publishes what was committed, and never what was rolled back', async () => {
    const { outbox, seen } = await openShop();
    const receipt = await inTransaction(pool, (tx) =>
      outbox.add(tx, OrderCreated, { orderId: 'committed' }, { eventId: 'event-1' }),
    );
    const failing = inTransaction(pool, async (tx) => {
      await outbox.add(tx, OrderCreated, { orderId: 'rolled back' });
      throw new Error('out of stock');
    });
    await expect(failing).rejects.toThrow('out of stock');
    await outbox.store(order('stored'));

    expect(receipt).toEqual({ eventId: 'event-1', eventType: 'order.created.v1', topic: orders });
    await eventually(() => seen.length === 2);
    expect([...seen].sort()).toEqual(['committed', 'stored']);
    await eventually(async () => (await rows()).length === 0);
  });

  it('hears of a commit, long before it would look by itself', async () => {
    const { outbox, seen, health } = await openShop({}, { pollMs: 60_000, leaseMs: 60_000 });
    await eventually(() => health().outbox?.leading);
    await inTransaction(pool, (tx) => outbox.add(tx, OrderCreated, { orderId: '1' }));
    await eventually(() => seen.length === 1);
  });

  it('finds by looking what nobody tells of', async () => {
    const store = new PostgresOutbox({ pool, notify: false });
    const { outbox, seen } = await openShop({}, { store, pollMs: 50 });
    await inTransaction(pool, (tx) => outbox.add(tx, OrderCreated, { orderId: '1' }));
    await eventually(() => seen.length === 1);
  });

  it('keeps the order of each key through many batches', async () => {
    const { outbox, notes } = await openShop({}, { batchSize: 7 });
    const events = Array.from({ length: 200 }, (_, i) =>
      event(Noted, { about: `key-${String(i % 5)}`, text: String(i) }),
    );
    await outbox.store(...events.slice(0, 100));
    await outbox.store(...events.slice(100));

    await eventually(() => notes.length === events.length);
    for (const key of ['key-0', 'key-1', 'key-2', 'key-3', 'key-4']) {
      const own = notes.filter(({ about }) => about === key).map(({ text }) => Number(text));
      expect(own).toEqual([...own].sort((x, y) => x - y));
      expect(own).toHaveLength(40);
    }
  });

  it('lets nothing of a key pass a record of it whose hold runs out while it looks', async () => {
    const store = new PostgresOutbox({ pool });
    const one = { eventType: 'noted.v1', topic: orders, value: Buffer.from('{}'), headers: [] };
    const key = Buffer.from('held');
    const others = (count: number, name: string) =>
      Array.from({ length: count }, (_, i) => ({
        ...{ ...one, eventId: `${name} ${String(i)}`, key: Buffer.from(`${name} ${String(i)}`) },
      }));
    await store.lead('the test', 60_000);
    // So many that Postgres goes by the index, and has something to look at between the two.
    await store.store([
      ...[{ ...one, eventId: 'first', key }, ...others(500, 'between')],
      ...[{ ...one, eventId: 'later', key }, ...others(20_000, 'behind')],
    ]);
    await pool.query('ANALYZE kafka_events.outbox');
    for (let round = 0; round < 40; round++) {
      await pool.query(
        `UPDATE kafka_events.outbox SET retry_at = clock_timestamp() + interval '10 ms' WHERE event_id = 'first'`,
      );
      for (let seen: string[] = []; !seen.includes('first');) {
        seen = (await store.next('the test', 502, [])).map(({ eventId }) => eventId);
        expect(seen.includes('later')).toBe(seen.includes('first'));
      }
    }
  });

  describe('a look', () => {
    const OWNER = 'the test';
    const one = { eventType: 'noted.v1', value: Buffer.from('{}'), headers: [] };
    const recordsOf = (topic: string, count: number, keyOf: (n: number) => string = String) =>
      Array.from({ length: count }, (_, n) => ({
        ...{ ...one, topic, eventId: `${topic} ${String(n)}`, key: Buffer.from(keyOf(n)) },
      }));

    /** What it finds, and how many rows Postgres read for it. */
    async function look(limit: number, exceptTopics: readonly string[]) {
      const single = postgresPool(database, { max: 1 });
      const store = new PostgresOutbox({ pool: single });
      await single.query('BEGIN');
      const found = await store.next(OWNER, limit, exceptTopics);
      const { rows: counted } = await single.query<{ read: string }>(
        `SELECT seq_tup_read + idx_tup_fetch AS read FROM pg_stat_xact_user_tables WHERE relname = 'outbox'`,
      );
      return { found: found.map(({ eventId }) => eventId), read: Number(counted[0]?.read) };
    }

    it.each(['has counted them', 'knows nothing of the table'])(
      'reads no rows of topics that take nothing, however many, where Postgres %s',
      async (what) => {
        const store = new PostgresOutbox({ pool });
        if (what.startsWith('knows')) {
          await pool.query('ALTER TABLE kafka_events.outbox SET (autovacuum_enabled = false)');
        }
        await store.lead(OWNER, 60_000);
        for (const topic of ['closed', 'also closed', 'm closed']) {
          await store.store(recordsOf(topic, 10_000));
        }
        await store.store([...recordsOf('behind', 5), ...recordsOf('open', 5)]);
        if (!what.startsWith('knows')) await pool.query('ANALYZE kafka_events.outbox');
        const { found, read } = await look(500, ['closed', 'also closed', 'm closed', 'unknown']);
        const expected = [...recordsOf('behind', 5), ...recordsOf('open', 5)];
        expect(found).toEqual(expected.map(({ eventId }) => eventId));
        expect(read).toBeLessThan(100);
      },
    );

    it('finds the oldest of all topics that are open, in their order, and no more than asked for', async () => {
      const store = new PostgresOutbox({ pool });
      for (let round = 0; round < 4; round++) {
        for (const topic of ['b', 'a', 'c']) {
          await store.store([
            { ...one, topic, key: Buffer.from('k'), eventId: `${topic}${String(round)}` },
          ]);
        }
      }
      expect((await look(20, [])).found).toEqual([]);
      await store.lead(OWNER, 60_000);
      expect((await look(4, [])).found).toEqual(['b0', 'a0', 'c0', 'b1']);
      expect((await look(20, ['b', 'c'])).found).toEqual(['a0', 'a1', 'a2', 'a3']);
      expect((await look(20, ['a', 'b', 'c'])).found).toEqual([]);
    });

    it('brings records of up to 8 MiB together, but one at least', async () => {
      const store = new PostgresOutbox({ pool });
      await store.lead(OWNER, 60_000);
      const large = (mib: number, n: number) => ({
        ...{ ...one, topic: 'large', key: Buffer.from('k'), eventId: String(n) },
        value: randomBytes(mib * 1024 * 1024),
      });
      await store.store([large(3, 0), large(3, 1), large(3, 2)]);
      expect((await look(500, [])).found).toEqual(['0', '1']);
      await store.remove(['1', '2', '3']);
      await store.store([large(9, 3), large(1, 4)]);
      expect((await look(500, [])).found).toEqual(['3']);
    });
  });

  it('gives up what is held, and never what may be on its way', async () => {
    const store = new PostgresOutbox({ pool });
    const record = { eventType: 'noted.v1', topic: orders, value: Buffer.from('{}'), headers: [] };
    await store.store([{ ...record, eventId: 'event', key: Buffer.from('key') }]);
    await store.lead('a relay', 60_000);
    expect(await store.discard('event')).toBe(0);
    const [row] = await store.next('a relay', 1, []);
    await store.hold(row?.id ?? '', 'too large');
    const holdFor = (seconds: number) =>
      pool.query(
        `UPDATE kafka_events.outbox SET retry_at = clock_timestamp() + $1 * interval '1 s'`,
        [seconds],
      );
    // Over, so that a relay may have read it; about to be over, so that one may before we are done.
    for (const seconds of [-1, 1]) {
      await holdFor(seconds);
      expect(await store.discard('event')).toBe(0);
    }
    await holdFor(30);
    expect(await store.discard('event')).toBe(1);

    await store.store([{ ...record, eventId: 'event', key: Buffer.from('key') }]);
    await holdFor(-1);
    await store.resign('a relay');
    expect(await store.discard('event')).toBe(1);
  });

  it('stops listening although no connection ever comes, and gives back one that comes late', async () => {
    const slow = new URL(database);
    const proxy = await TcpProxy.listen({ target: Number(slow.port || 5432) });
    onCleanup(() => proxy.close());
    proxy.freeze();
    slow.port = String(proxy.port);
    const waiting = postgresPool(slow.href);
    const stop = new PostgresOutbox({ pool: waiting }).onAdded?.(() => undefined);
    await eventually(() => proxy.connections === 1);
    await stop?.();
    expect([waiting.totalCount, waiting.idleCount]).toEqual([1, 0]);
    proxy.restore();
    await eventually(() => waiting.idleCount === 1);
  });

  it('refuses at once what could not be published', async () => {
    const { outbox } = await openShop();
    await expect(outbox.store(event(OrderCreated, { orderId: 17 as never }))).rejects.toMatchObject(
      {
        code: 'INVALID_EVENT',
      },
    );
    await expect(
      outbox.store(event(OrderCreated, { orderId: 'x'.repeat(2 * 1024 * 1024) })),
    ).rejects.toMatchObject({ code: 'EVENT_TOO_LARGE' });
    await expect(
      outbox.store(event(OrderCreated, { orderId: '1' }, { eventId: 'a\u0000b' })),
    ).rejects.toMatchObject({ code: 'INVALID_EVENT' });
    expect(await rows()).toEqual([]);
  });

  it('starts without a broker, and publishes when there is one', async () => {
    await kafka.stopBroker(0);
    const { outbox, seen, failed, health } = await openShop();
    await outbox.store(order('1'), order('2'));
    await eventually(() => failed.length > 0, { timeoutMs: 20_000 });
    expect(health().problems.join()).toContain('takes nothing');
    expect(await outbox.pendingFor(OrderCreated, '1')).toBe(true);
    expect(await outbox.pendingFor(OrderCreated, '3')).toBe(false);

    await kafka.startBroker(0);
    await eventually(() => seen.length === 2, { timeoutMs: 20_000 });
    await eventually(async () => (await rows()).length === 0);
    expect(await outbox.pendingFor(OrderCreated, '1')).toBe(false);
  }, 60_000);

  it('holds what the broker refuses, with its key alone, and lets it go when told to', async () => {
    const small = await createTopic(kafka.brokers, { config: { 'max.message.bytes': '3000' } });
    await createDeadLetterTopic(kafka.brokers, small);
    const { outbox, notes, held } = await openShop({ topicName: () => small });
    const note = (about: string, text: string) =>
      event(Noted, { about, text }, { eventId: text.slice(0, 9) });
    // What does not get smaller by packing.
    const large = `too large ${randomBytes(4_000).toString('hex')}`;
    await outbox.store(note('a', 'a before'), note('a', large), note('b', 'b before'));
    await outbox.store(note('a', 'a after'), note('b', 'b after'));

    await eventually(() => notes.length === 3);
    expect(notes.map(({ text }) => text).sort()).toEqual(['a before', 'b after', 'b before']);
    expect(held).toMatchObject([{ eventId: 'too large', topic: small }]);
    expect(await outbox.held()).toMatchObject([
      {
        eventId: 'too large',
        key: 'a',
        attempts: 1,
        error: expect.stringContaining('large') as unknown,
      },
    ]);
    // An event may be handled a moment before its row is removed.
    await eventually(async () => (await outbox.stats()).pending === 2);
    expect(await outbox.stats()).toMatchObject({ held: 1 });
    expect(await outbox.discard('a after')).toBe(false);

    expect(await outbox.discard('too large')).toBe(true);
    await eventually(() => notes.length === 4);
    expect(notes.at(-1)).toMatchObject({ text: 'a after' });
    await eventually(async () => (await outbox.stats()).pending === 0);
    expect(await outbox.stats()).toMatchObject({ oldestAgeMs: null, held: 0 });
  }, 60_000);

  describe('in two processes', () => {
    it('is published by one, and by the other when that is gone', async () => {
      const [one, other] = [await openShop(), await openShop()];
      await eventually(() => one.health().outbox?.leading);
      expect(other.health().outbox?.leading).toBe(false);
      await one.app.close();
      await other.outbox.store(order('1'));
      await eventually(() => other.seen.includes('1'));
      expect(other.health().outbox?.leading).toBe(true);
    });
  });

  it('fails the boot where its tables are missing, and says how to make them', async () => {
    const store = new PostgresOutbox({ pool, schema: 'elsewhere' });
    const booting = openShop({}, { store });
    await expect(booting).rejects.toThrow(MissingTablesError);
    await expect(openShop({}, { store })).rejects.toThrow(
      /"elsewhere" needs version 1.*createTables/s,
    );
    await store.createTables();
    await openShop({}, { store });
  });

  it('makes its tables once, however many processes boot', async () => {
    const stores = Array.from({ length: 8 }, () => new PostgresOutbox({ pool, schema: 'fresh' }));
    onCleanup(() => Promise.all(stores.map((store) => store.close())));
    await Promise.all(stores.map((store) => store.createTables()));
    await stores[0]?.verify();
  });

  it('publishes to the topics that take events while another does not exist', async () => {
    const missing = uniqueName('stock');
    const topicName = (topic: string) => (topic === 'stock' ? missing : orders);
    const { outbox, seen, failed } = await openShop({ topicName });
    await outbox.store(event(StockReserved, { sku: 'tea' }), order('1'), order('2'));
    await eventually(() => seen.length === 2);
    await eventually(() => failed.length > 0);
    expect(failed[0]).toMatchObject({ topic: missing });

    await createTopic(kafka.brokers, { name: missing });
    await eventually(async () => (await rows()).length === 0, { timeoutMs: 20_000 });
  });
});
