import { describe, expect, it } from '@jest/globals';

import { event, MissingTablesError, StoreUnavailableError } from '../../../lib/index.js';
import type { IdempotencyStore } from '../../../lib/idempotency/idempotency-store.js';
import { MemoryIdempotencyStore } from '../../../lib/idempotency/memory-idempotency-store.js';
import { MemoryCursorStore, type CursorStore } from '../../../lib/legacy/cursor-store.js';
import { legacyFeed, type FeedPage, type LegacyFeed } from '../../../lib/legacy/legacy-feed.js';
import { LegacyFeeds } from '../../../lib/legacy/legacy-feeds.js';
import type { SignalName } from '../../../lib/observability/observer.js';
import { DEFAULTS } from '../../../lib/options/defaults.js';
import { FakeEventPublisher } from '../../../lib/testing/fake-event-publisher.js';
import { settle } from '../../support/engine-events.js';
import { ManualClock } from '../../support/manual-clock.js';
import { onCleanup } from '../../support/cleanup.js';
import { OrderCreated } from '../../support/shop-events.js';
import { rejectionOf } from '../../support/thrown-by.js';
import { WALL_TIME_STEPS } from '../../support/wall-time-steps.js';

interface Change {
  readonly id: string;
}

/** A system with a list of changes, whose cursor is a place in it. */
class System {
  readonly changes: Change[] = [];
  readonly polled: (string | null)[] = [];
  fails: Error | null = null;
  pageSize = 2;

  poll(cursor: string | null): FeedPage<Change> {
    this.polled.push(cursor);
    if (this.fails !== null) throw this.fails;
    const from = Number(cursor ?? 0);
    const changes = this.changes.slice(from, from + this.pageSize);
    return { changes, cursor: String(from + changes.length) };
  }

  add(...ids: string[]): void {
    this.changes.push(...ids.map((id) => ({ id })));
  }
}

function feedOf(system: System, given: Partial<LegacyFeed<Change>> = {}): LegacyFeed<Change> {
  return legacyFeed<Change>({
    name: 'orders',
    everyMs: 1_000,
    poll: (cursor) => system.poll(cursor),
    id: ({ id }) => id,
    toEvent: ({ id }) =>
      id === 'not ours' ? null : event(OrderCreated, { orderId: id === 'bad' ? 7 : id } as never),
    ...given,
  });
}

interface Given {
  readonly feed?: LegacyFeed<Change>;
  readonly system?: System;
  readonly store?: IdempotencyStore;
  readonly cursors?: CursorStore;
  readonly clock?: ManualClock;
  readonly publisher?: FakeEventPublisher;
}

let processes = 0;

function start({
  system = new System(),
  feed = feedOf(system),
  clock = new ManualClock(),
  store = new MemoryIdempotencyStore({ clock }),
  cursors = new MemoryCursorStore(),
  publisher = new FakeEventPublisher(),
}: Given = {}) {
  const signals: (readonly [name: SignalName, signal: object])[] = [];
  const feeds = new LegacyFeeds({
    settings: { feeds: [{ ...DEFAULTS.feed, ...feed }], cursors },
    ...{ store, clientId: 'shop', owner: `process ${String(++processes)}`, sink: publisher, clock },
    signals: { emit: (name, signal) => void signals.push([name, signal]) },
    random: () => 0,
  });
  feeds.start(() => {
    throw new Error('there are no providers here');
  });
  onCleanup(async () => {
    const stopped = feeds.stop(0);
    await clock.advanceAsync(0);
    await stopped;
  });
  const published = async () => {
    const events = await publisher.publishedEvents(OrderCreated);
    return events.map(({ payload: { orderId } }) => orderId);
  };
  const ids = async () =>
    (await publisher.publishedEvents(OrderCreated)).map(({ eventId }) => eventId);
  return { clock, feeds, system, store, cursors, publisher, signals, published, ids, feed };
}

/** Lets a round end: publishing takes real turns of the loop. */
async function round(clock: ManualClock, ms = 0): Promise<void> {
  await clock.advanceAsync(ms);
  for (let n = 0; n < 10; n++) {
    await settle(10);
    await clock.advanceAsync(0);
  }
}

describe('a feed', () => {
  it('publishes changes in their order, page after page, and notes how far it is', async () => {
    const { clock, system, cursors, published, signals } = start();
    system.add('a', 'b', 'c');
    await round(clock);
    expect(await published()).toEqual(['a', 'b', 'c']);
    expect(await cursors.read('orders')).toBe('3');
    expect(system.polled).toEqual([null, '2', '3']);
    expect(signals.map(([, signal]) => signal)).toMatchObject([
      { feed: 'orders', changes: 2 },
      { changes: 1 },
      { changes: 0 },
    ]);
  });

  it('asks again after a while, behind its cursor', async () => {
    const { clock, system, published } = start();
    await round(clock);
    system.add('a');
    await round(clock, 999);
    expect(await published()).toEqual([]);
    await round(clock, 1);
    expect(await published()).toEqual(['a']);
    expect(system.polled).toEqual([null, '0', '1']);
  });

  it('publishes a page again, under the ids it had, when its cursor was not noted', async () => {
    const cursors = new MemoryCursorStore();
    const clock = new ManualClock();
    const system = new System();
    system.add('a', 'b');
    let isDead = true;
    const lost: CursorStore = {
      read: (name) => cursors.read(name),
      write: async (name, cursor) => {
        if (isDead) await new Promise(() => undefined);
        cursors.write(name, cursor);
      },
    };
    const publisher = new FakeEventPublisher();
    const dead = start({ ...{ cursors: lost, clock, system, publisher } });
    await round(clock);
    isDead = false;
    const alive = start({ ...{ cursors: lost, clock, system, publisher } });
    await round(clock);
    expect(await alive.published()).toEqual(['a', 'b', 'a', 'b']);
    const ids = await dead.ids();
    expect(ids.slice(0, 2)).toEqual(ids.slice(2));
    expect(new Set(ids).size).toBe(2);
    expect(cursors.read('orders')).toBe('2');
  });

  it('stays where it is while a change cannot be published, and goes on in order', async () => {
    const { clock, system, publisher, published, feeds, signals } = start();
    publisher.failNext();
    system.add('a', 'b');
    await round(clock);
    expect(await published()).toEqual([]);
    expect(feeds.health(String)[0]?.error).not.toBeNull();
    expect(signals).toMatchObject([['feedFailed', { feed: 'orders', retryInMs: 1_000 }]]);
    await round(clock, 1_000);
    expect(await published()).toEqual(['a', 'b']);
    expect(feeds.health(String)[0]?.error).toBeNull();
  });

  it('waits longer each time the system fails', async () => {
    const { clock, system } = start();
    system.fails = new Error('down');
    await round(clock);
    for (const ms of [1_000, 2_000, 4_000]) {
      const polls = system.polled.length;
      await round(clock, ms - 1);
      expect(system.polled).toHaveLength(polls);
      await round(clock, 1);
      expect(system.polled).toHaveLength(polls + 1);
    }
  });

  it('gives a poll up that does not come back, and tells it so', async () => {
    const signals: AbortSignal[] = [];
    const system = new System();
    const { clock, feeds } = start({
      system,
      feed: feedOf(system, {
        pollTimeoutMs: 500,
        poll: (_, { signal }) => {
          signals.push(signal);
          return new Promise(() => undefined);
        },
      }),
    });
    await round(clock);
    await round(clock, 500);
    expect(feeds.health(String)[0]?.error).toBe('no answer to a poll within 500 ms');
    expect(signals[0]?.aborted).toBe(true);
  });

  it('leaves out what is no event of ours', async () => {
    const { clock, system, published, cursors } = start();
    system.add('a', 'not ours', 'b');
    await round(clock);
    expect(await published()).toEqual(['a', 'b']);
    expect(await cursors.read('orders')).toBe('3');
  });

  it('is held by a change that can be no event, until that is mended', async () => {
    const { clock, system, published, feeds, cursors } = start();
    system.pageSize = 10;
    system.add('a', 'bad', 'b');
    await round(clock);
    expect(await published()).toEqual(['a']);
    expect(feeds.health(String)[0]?.error).toContain('a change of feed "orders" is no event');
    expect(await cursors.read('orders')).toBeNull();
    system.changes[1] = { id: 'mended' };
    await round(clock, 1_000);
    expect((await published()).slice(1)).toEqual(['a', 'mended', 'b']);
  });

  it('leaves it out instead, where it is told to', async () => {
    const system = new System();
    const feed = feedOf(system, { onInvalid: 'skip' });
    const { clock, published, signals } = start({ system, feed });
    system.add('a', 'bad', 'b');
    await round(clock);
    expect(await published()).toEqual(['a', 'b']);
    expect(signals.filter(([name]) => name === 'feedSkipped')).toMatchObject([
      ['feedSkipped', { feed: 'orders', error: { code: 'NON_RETRYABLE' } }],
    ]);
  });

  it('is polled by one process at a time, and by the next when that is gone', async () => {
    const clock = new ManualClock();
    const store = new MemoryIdempotencyStore({ clock });
    const cursors = new MemoryCursorStore();
    const [one, other] = [new System(), new System()];
    const first = start({ clock, store, cursors, system: one });
    await round(clock);
    const second = start({ clock, store, cursors, system: other });
    await round(clock, 60_000);
    expect(one.polled.length).toBeGreaterThan(10);
    expect(other.polled).toEqual([]);
    expect([first, second].map(({ feeds }) => feeds.health(String)[0]?.leading)).toEqual([
      true,
      false,
    ]);

    await first.feeds.stop(1_000);
    await round(clock, 10_000);
    expect(other.polled.length).toBeGreaterThan(0);
  });

  /** A store that can be away. */
  class AwayStore implements IdempotencyStore {
    readonly name = 'away';
    readonly inProcess = false;
    isAway = false;
    readonly #store: MemoryIdempotencyStore;

    constructor(clock: ManualClock) {
      this.#store = new MemoryIdempotencyStore({ clock });
    }

    async claim(requests: Parameters<MemoryIdempotencyStore['claim']>[0]) {
      return this.#there().claim(requests);
    }
    async renew(renewals: Parameters<MemoryIdempotencyStore['renew']>[0]) {
      return this.#there().renew(renewals);
    }
    async release(releases: Parameters<MemoryIdempotencyStore['release']>[0]) {
      this.#store.release(releases);
    }
    complete(completions: Parameters<MemoryIdempotencyStore['complete']>[0]) {
      return this.#store.complete(completions);
    }

    #there(): MemoryIdempotencyStore {
      if (this.isAway) throw new Error('away');
      return this.#store;
    }
  }

  it.each(WALL_TIME_STEPS)(
    'has its lease for as long as that lasts where the time of day is set %s',
    async (_, stepMs) => {
      const clock = new ManualClock();
      const store = new AwayStore(clock);
      const { feeds } = start({ clock, store });
      await round(clock);
      store.isAway = true;
      clock.stepWallTime(stepMs);
      for (let second = 0; second < 29; second++) await round(clock, 1_000);
      expect(feeds.health(String)[0]?.leading).toBe(true);
      await round(clock, 1_000);
      expect(feeds.health(String)[0]?.leading).toBe(false);
    },
  );

  it('stops when its lease is somebody else’s, and when it cannot be renewed', async () => {
    const clock = new ManualClock();
    const store = new AwayStore(clock);
    const system = new System();
    const { feeds } = start({ clock, store, system });
    await round(clock);
    store.isAway = true;
    for (let second = 0; second < 31; second++) await round(clock, 1_000);
    const polls = system.polled.length;
    expect(feeds.health(String)[0]).toMatchObject({ leading: false, error: 'away' });
    await round(clock, 2_000);
    expect(system.polled).toHaveLength(polls);
    store.isAway = false;
    for (let n = 0; n < 5; n++) await round(clock, 60_000);
    expect(system.polled.length).toBeGreaterThan(polls);
  });

  it('finishes the change that is being published when it stops, and no other', async () => {
    const { clock, system, feeds, published, cursors } = start();
    system.add('a', 'b');
    await clock.advanceAsync(0);
    const stopped = feeds.stop(1_000);
    await round(clock);
    await stopped;
    expect((await published()).length).toBeLessThan(2);
    expect(await cursors.read('orders')).toBeNull();
    const polls = system.polled.length;
    await round(clock, 60_000);
    expect(system.polled).toHaveLength(polls);
    expect(clock.pending).toBe(0);
  });
});

describe('where cursors are kept', () => {
  const failing = (error: Error): CursorStore => ({
    read: () => null,
    write: () => undefined,
    verify: () => Promise.reject(error),
  });

  it('is checked at the boot, where that fails for good', async () => {
    const error = new MissingTablesError('cursors', 'there are none');
    const { feeds } = start({ cursors: failing(error) });
    expect(await rejectionOf(() => feeds.verify())).toBe(error);
  });

  it('may be away, or without use', async () => {
    const away = start({ cursors: failing(new StoreUnavailableError('away')) });
    await away.feeds.verify();
    const { id, toEvent } = feedOf(new System());
    const told = legacyFeed<Change>({ name: 'told', id, toEvent });
    const unused = start({ feed: told, cursors: failing(new Error('nobody asks')) });
    await unused.feeds.verify();
  });
});

describe('a change that a system tells of by itself', () => {
  it('is published under the id that polling gives it', async () => {
    const { clock, system, feeds, feed, ids } = start();
    const receipt = await feeds.accept(feed, { id: 'a' });
    system.add('a');
    await round(clock, 1_000);
    expect(await ids()).toEqual([receipt?.eventId, receipt?.eventId]);
    expect(await feeds.accept(feed, { id: 'not ours' })).toBeNull();
  });

  it('is refused by name where it can be no event, or the feed is not there', async () => {
    const { feeds, feed } = start();
    expect(await rejectionOf(() => feeds.accept(feed, { id: 'bad' }))).toMatchObject({
      code: 'NON_RETRYABLE',
      cause: { code: 'INVALID_EVENT' },
    });
    const other = { ...feed, name: 'others' };
    expect(await rejectionOf(() => feeds.accept(other, { id: 'a' }))).toMatchObject({
      code: 'INVALID_TARGET',
    });
  });
});
