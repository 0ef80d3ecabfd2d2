import { describe, expect, it } from '@jest/globals';

import { HEADERS } from '../../../lib/contracts/event-headers.js';
import { anyEvent, handlerOf, startEngine } from '../../support/engine.js';
import { eventually } from '../../support/eventually.js';
import { fragileStore } from '../../support/fragile-store.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelPartition } from '../../support/model-kafka.js';
import { append, idOf, settle } from '../../support/engine-events.js';

const Created = anyEvent('order.created');
const ONCE = { attempts: 1, initialDelayMs: 1, factor: 1, maxDelayMs: 1, jitter: 0 };

describe('claims whose answer was lost', () => {
  const KEY = ['group', 'h', Created.eventType, 'orders', '', '', 'e1'].join('\u0000');

  it('are taken up again, without waiting for their lease', async () => {
    const clock = new ManualClock();
    const store = fragileStore(clock);
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e1');
    const handlers = [handlerOf('h', [Created], () => undefined)];
    const engine = await startEngine([partition], handlers, { clock, store });
    store.away = 'answers to claims';
    engine.kafka.fetch(partition);
    await settle();
    expect(engine.count('storeFailed')).toBe(1);
    store.away = 'nothing';

    await clock.advanceAsync(5_000);
    await settle();

    expect(engine.count('handled')).toBe(1);
    expect(engine.count('leaseWait')).toBe(0);
  });

  it('are given back when their partition is lost', async () => {
    const clock = new ManualClock();
    const store = fragileStore(clock);
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e1');
    const handlers = [handlerOf('h', [Created], () => undefined)];
    const engine = await startEngine([partition], handlers, { clock, store });
    store.away = 'answers to claims';
    engine.kafka.fetch(partition);
    await settle();
    store.away = 'nothing';

    engine.kafka.evict([]);
    await settle();

    const [answer] = await store.claim([
      { key: KEY, token: 'other', leaseMs: 30_000, level: 0, retentionMs: 60_000 },
    ]);
    expect(answer).toMatchObject({ status: 'claimed' });
  });
});

describe('claims that could not be completed', () => {
  it("are not renewed for ever with onStoreError 'process'", async () => {
    const clock = new ManualClock();
    const store = fragileStore(clock);
    const partition = new ModelPartition('orders', 0);
    append(partition, 'same', { key: 'a' });
    const engine = await startEngine([partition], [handlerOf('h', [Created], () => undefined)], {
      clock,
      store,
      settings: { idempotency: { store, windowMs: 60_000, onStoreError: 'process' } },
    });
    store.away = 'completions';
    engine.kafka.fetch(partition);
    await settle();
    expect(engine.count('handled')).toBe(1);
    store.away = 'nothing';
    // The producer repeats itself.
    append(partition, 'same', { key: 'b' });
    engine.kafka.fetch(partition);
    for (let i = 0; i < 60; i++) await clock.advanceAsync(10_000);
    expect(partition.committed).toBe(2n);
  });

  it('are left to their lease once their partition is lost', async () => {
    const clock = new ManualClock();
    const store = fragileStore(clock);
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e1');
    const engine = await startEngine([partition], [handlerOf('h', [Created], () => undefined)], {
      clock,
      store,
    });
    store.away = 'completions';
    engine.kafka.fetch(partition);
    await settle();
    engine.kafka.evict([]);
    // Longer than the claim can be ours.
    for (let i = 0; i < 60; i++) await clock.advanceAsync(1_000);
    store.away = 'nothing';
    // The new owner, in another process, waits for the lease again and again.
    const key = ['group', 'h', Created.eventType, 'orders', '', '', 'e1'].join('\u0000');
    let status = '';
    for (let i = 0; i < 60 && status !== 'claimed'; i++) {
      await clock.advanceAsync(10_000);
      const [answer] = await store.claim([
        { key, token: 'other', leaseMs: 30_000, level: 0, retentionMs: 60_000 },
      ]);
      status = answer?.status ?? '';
    }
    expect(status).toBe('claimed');
  });

  it('of a handler that never came back are not given to another run of it here', async () => {
    const clock = new ManualClock();
    const partition = new ModelPartition('orders', 0);
    append(partition, 'same', { key: 'a' });
    append(partition, 'same', { key: 'b' });
    let running = 0;
    let most = 0;
    const engine = await startEngine(
      [partition],
      [
        handlerOf(
          'h',
          [Created],
          () => {
            most = Math.max(most, ++running);
            return new Promise(() => undefined);
          },
          { timeoutMs: 1_000 },
        ),
      ],
      { clock, onDeadLetter: () => Promise.reject(new Error('dlq away')) },
    );
    engine.kafka.fetch(partition);
    for (let i = 0; i < 30; i++) await clock.advanceAsync(1_000);
    expect(engine.count('slotLeaked')).toBeGreaterThan(0);
    expect(most).toBe(1);
  });

  it('leave no timers of those who waited for them', async () => {
    const clock = new ManualClock();
    const partition = new ModelPartition('orders', 0);
    let finish: () => void = () => undefined;
    const gate = new Promise<void>((resolve) => {
      finish = resolve;
    });
    for (let i = 0; i < 10; i++) append(partition, 'same', { key: `k${String(i)}` });
    const engine = await startEngine([partition], [handlerOf('h', [Created], () => gate)], {
      clock,
    });
    engine.kafka.fetch(partition);
    await settle();
    finish();
    await settle();
    await clock.advanceAsync(100);
    expect(partition.committed).toBe(10n);
    // What may be left is the renewal of claims, and the refreshing of marks, soon and regularly.
    expect(clock.pending).toBeLessThanOrEqual(3);
  });
});

describe('event ids', () => {
  it('stay apart when they are not text', async () => {
    const partition = new ModelPartition('orders', 0);
    for (const last of [0x80, 0x81]) {
      partition.append({
        key: Buffer.from([last]),
        headers: [
          [HEADERS.eventType, Buffer.from(Created.eventType)],
          [HEADERS.eventId, Buffer.from([0, 0, 0, 0, 0, 0, 0, last])],
        ],
        value: Buffer.from('{}'),
      });
    }
    let runs = 0;
    const engine = await startEngine([partition], [handlerOf('h', [Created], () => runs++)]);
    engine.kafka.fetch(partition);
    await eventually(() => partition.committed === 2n);
    expect(runs).toBe(2);
  });
});

describe('what is promised', () => {
  it('a rejoin is held back no longer than its deadline, its commit included', async () => {
    const clock = new ManualClock();
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e1');
    append(partition, 'stuck');
    let finish: () => void = () => undefined;
    const stuck = new Promise<void>((resolve) => {
      finish = resolve;
    });
    const engine = await startEngine(
      [partition],
      [handlerOf('h', [Created], (p) => (idOf(p) === 'stuck' ? stuck : undefined))],
      { clock, group: { commitIntervalMs: 60_000 } },
    );
    engine.kafka.fetch(partition);
    await settle();
    const revoking = engine.kafka.hooks.onRevoking(engine.kafka.owned, 1_000);
    await clock.advanceAsync(999);
    // The driver goes on without the hook at 1,000 ms: what settled must be committed before.
    const { committed } = partition;
    await clock.advanceAsync(2_000);
    await revoking;
    finish();
    await settle();
    expect(committed).toBe(1n);
  });

  it('a redactor that throws does not keep a dead letter from being written', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e1');
    const engine = await startEngine(
      [partition],
      [
        handlerOf(
          'h',
          [Created],
          () => {
            throw new Error('x');
          },
          { retry: ONCE },
        ),
      ],
      {
        settings: {
          deadLetter: {
            topicName: (t) => `${t}.dlq`,
            includeStack: false,
            redact: () => {
              throw new Error('redactor');
            },
            onUndeliverable: 'hold',
          },
        },
      },
    );
    engine.kafka.fetch(partition);
    await settle();
    expect(engine.deadLetters).toHaveLength(1);
  });
});
