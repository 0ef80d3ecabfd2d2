import { describe, expect, it } from '@jest/globals';

import type { EventBatch } from '../../../../lib/consuming/batch/event-batch.js';
import { EventOutcome } from '../../../../lib/consuming/event-outcome.js';
import { HEADERS } from '../../../../lib/contracts/event-headers.js';
import type { IdempotencyStore } from '../../../../lib/idempotency/idempotency-store.js';
import { MemoryIdempotencyStore } from '../../../../lib/idempotency/memory-idempotency-store.js';
import {
  InvalidPayloadError,
  NonRetryableEventError,
} from '../../../../lib/kafka-events.errors.js';
import {
  anyEvent,
  batchHandlerOf,
  startEngine,
  type EngineOptions,
} from '../../../support/engine.js';
import { append, idOf, settle } from '../../../support/engine-events.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { ModelPartition } from '../../../support/model-kafka.js';

const Created = anyEvent('order.created');
const RETRY = { attempts: 5, initialDelayMs: 1_000, factor: 1, maxDelayMs: 1_000, jitter: 0 };

type Body = (batch: EventBatch) => unknown;

function idsIn(batch: EventBatch): string[] {
  return batch.payloads.map(idOf);
}

function numbered(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `e${String(i)}`);
}

/** One partition with these events; the key of `a-1` is `a`. Batches are noted before the body runs. */
async function shop(
  ids: readonly string[],
  body: Body,
  settings: Parameters<typeof batchHandlerOf>[3] = {},
  { clock = new ManualClock(), ...options }: EngineOptions & { readonly clock?: ManualClock } = {},
) {
  const partition = new ModelPartition('orders', 0);
  for (const id of ids) append(partition, id, { key: id.split('-')[0] });
  const batches: string[][] = [];
  const handler = batchHandlerOf(
    'h',
    [Created],
    (batch) => {
      batches.push(idsIn(batch));
      return body(batch);
    },
    { retry: RETRY, timeoutMs: 10_000, ...settings },
  );
  const engine = await startEngine([partition], [handler], { clock, ...options });
  const pass = async (ms: number): Promise<void> => {
    for (let spent = 0; spent < ms; spent += 100) {
      await clock.advanceAsync(100);
      await settle(5);
    }
  };
  engine.kafka.fetch(partition);
  await settle();
  const deadIds = (): string[] =>
    engine.deadLetters.map(({ record }) => idOf(JSON.parse(record.value?.toString() ?? '{}')));
  const deadReasons = (): (string | undefined)[] =>
    engine.deadLetters.map(({ record: { headers } }) =>
      headers.find(([name]) => name === 'dlq-reason')?.[1]?.toString(),
    );
  return { engine, partition, clock, pass, batches, deadIds, deadReasons };
}

/** A store that is asked across a network, and counts how often. */
function countedStore(): { store: IdempotencyStore; calls: Record<string, number[]> } {
  const memory = new MemoryIdempotencyStore();
  const calls: Record<string, number[]> = { claim: [], complete: [], release: [] };
  const counted = (name: string, { length }: readonly unknown[]): void => {
    calls[name]?.push(length);
  };
  const store: IdempotencyStore = {
    name: 'counted',
    inProcess: false,
    claim: (requests) => {
      counted('claim', requests);
      return Promise.resolve(memory.claim(requests));
    },
    complete: (requests) => {
      counted('complete', requests);
      return Promise.resolve(memory.complete(requests));
    },
    release: (requests) => {
      counted('release', requests);
      memory.release(requests);
      return Promise.resolve();
    },
    renew: (requests) => Promise.resolve(memory.renew(requests)),
  };
  return { store, calls };
}

describe('a batch', () => {
  it('comes at once when it is full, and otherwise when its first record has waited', async () => {
    const { partition, pass, engine, batches } = await shop(numbered(5), () => undefined, {
      maxSize: 3,
    });
    expect(batches).toEqual([['e0', 'e1', 'e2']]);

    await pass(100);
    expect(batches).toHaveLength(1);
    await pass(100);

    expect(batches).toEqual([
      ['e0', 'e1', 'e2'],
      ['e3', 'e4'],
    ]);
    await pass(100);
    expect(partition.committed).toBe(5n);
    expect(engine.count('handled')).toBe(5);
    expect(engine.count('batchEnded')).toBe(2);
  });

  it('comes alone: the next one of its partition waits for it', async () => {
    const ends: (() => void)[] = [];
    const wait = (): Promise<void> => new Promise((resolve) => ends.push(resolve));
    const { batches } = await shop(numbered(4), wait, { maxSize: 2 });
    expect(batches).toEqual([['e0', 'e1']]);

    ends.shift()?.();
    await settle();

    expect(batches).toHaveLength(2);
    ends.shift()?.();
  });

  it('goes to the store once for its claims and once for its completions', async () => {
    const { store, calls } = countedStore();
    const { partition, pass } = await shop(
      numbered(40),
      () => undefined,
      { maxSize: 20 },
      { store },
    );
    await pass(300);

    expect(partition.committed).toBe(40n);
    expect(calls.claim).toEqual([20, 20]);
    expect(calls.complete).toEqual([20, 20]);
    expect(calls.release).toEqual([]);
  });

  it('is no larger for those of its records that are done already', async () => {
    const { store } = countedStore();
    const { pass, batches, engine } = await shop(
      ['e0', 'e1', 'e0', 'e2'],
      () => undefined,
      {},
      { store },
    );
    await pass(1_000);

    // The second e0 waits for the first, and is then its duplicate.
    expect(batches).toEqual([['e0', 'e1', 'e2']]);
    expect(engine.count('duplicate')).toBe(1);
  });

  it('takes as many places in the rate of its handler as it has records', async () => {
    const starts: number[] = [];
    const clock = new ManualClock();
    const { pass } = await shop(
      numbered(60),
      () => {
        starts.push(clock.now());
      },
      { maxSize: 20, rate: { perSecond: 10, burst: 1 } },
      { clock },
    );
    await pass(6_000);

    const [first = 0] = starts;
    expect(starts.map((at) => at - first)).toEqual([0, 2_000, 4_000]);
  });
});

describe('a record of a batch', () => {
  it('is tried again alone, while the others are done', async () => {
    const attempts: number[] = [];
    const { pass, batches, partition, engine } = await shop(numbered(3), (batch) => {
      const [...items] = batch;
      const failing = items.find(({ payload }) => idOf(payload) === 'e1');
      if (failing === undefined) return;
      attempts.push(failing.attempt);
      if (failing.attempt < 3) batch.retry(failing.index, new Error('not yet'));
    });
    await pass(5_000);

    expect(batches).toEqual([['e0', 'e1', 'e2'], ['e1'], ['e1']]);
    expect(attempts).toEqual([1, 2, 3]);
    expect(engine.count('attemptFailed')).toBe(2);
    expect(partition.committed).toBe(3n);
  });

  it('holds up the later ones of its key, which spend no attempt, unless they were settled', async () => {
    const attempts: string[] = [];
    const { pass, batches } = await shop(['a-1', 'b-1', 'a-2', 'a-3', 'b-2'], (batch) => {
      for (const { payload, attempt } of batch)
        attempts.push(`${idOf(payload)}:${String(attempt)}`);
      if (batch.length < 5) return;
      batch.retry(0, new Error('not yet'));
      batch.settle(3);
    });
    await pass(3_000);

    expect(batches).toEqual([
      ['a-1', 'b-1', 'a-2', 'a-3', 'b-2'],
      ['a-1', 'a-2'],
    ]);
    expect(attempts.slice(5)).toEqual(['a-1:2', 'a-2:1']);
  });

  it.each([
    { why: 'its error allows no other attempt', error: new NonRetryableEventError('poison') },
    { why: 'it had one attempt', error: new Error('once'), retry: { ...RETRY, attempts: 1 } },
  ])(
    'holds them up when $why, too: whoever asked for a retry has left them',
    async ({ error, retry = RETRY }) => {
      const attempts: string[] = [];
      const { pass, batches, deadIds, engine } = await shop(
        ['a-1', 'b-1', 'a-2', 'a-3'],
        (batch) => {
          for (const { payload, attempt, index } of batch) {
            attempts.push(`${idOf(payload)}:${String(attempt)}`);
            if (idOf(payload) === 'a-1') batch.retry(index, error);
          }
        },
        { retry },
      );
      await pass(3_000);

      expect(batches).toEqual([
        ['a-1', 'b-1', 'a-2', 'a-3'],
        ['a-2', 'a-3'],
      ]);
      expect(attempts.slice(4)).toEqual(['a-2:1', 'a-3:1']);
      expect(deadIds()).toEqual(['a-1']);
      expect(engine.count('handled')).toBe(3);
    },
  );

  it('goes on while an earlier one of another key waits, across batches', async () => {
    const { pass, batches } = await shop(
      ['a-1', 'b-1', 'a-2', 'b-2'],
      (batch) => {
        if (idOf(batch.payloads[0]) === 'a-1' && batch.item(0).attempt === 1) {
          batch.retry(0, new Error('not yet'));
        }
      },
      { maxSize: 2 },
    );
    await pass(3_000);

    expect(batches).toEqual([['a-1', 'b-1'], ['b-2'], ['a-1', 'a-2']]);
  });

  it('waits as long as the handler asks', async () => {
    const { pass, batches } = await shop(['e0'], (batch) => {
      if (batch.item(0).attempt === 1) batch.retry(0, new Error('busy'), 20_000);
    });
    await pass(19_000);
    expect(batches).toHaveLength(1);
    await pass(2_000);

    expect(batches).toHaveLength(2);
  });

  it('gives its claim back while it waits, with its attempts', async () => {
    const store = new MemoryIdempotencyStore();
    const { pass } = await shop(
      ['e0'],
      (batch) => {
        batch.retry(0, new Error('busy'), 20_000);
      },
      {},
      { store },
    );
    await pass(1_000);

    const key = 'group\0h\0order.created.v1\0orders\0\0\0e0';
    const other = { key, token: 'other', leaseMs: 1, level: 0, retentionMs: 60_000 };
    expect(store.claim([other])).toEqual([{ status: 'claimed', attempts: 1 }]);
  });

  it('is dead-lettered on request, or when its attempts are spent, and nothing else is', async () => {
    const { pass, deadIds, deadReasons, partition } = await shop(numbered(4), (batch) => {
      for (const { payload, index } of batch) {
        if (idOf(payload) === 'e1') batch.deadLetter(index, 'no such order');
        if (idOf(payload) === 'e2') batch.retry(index, new Error('never'));
        if (idOf(payload) === 'e3') batch.retry(index, new NonRetryableEventError('poison'));
      }
    });
    await pass(10_000);

    expect(deadIds()).toEqual(['e1', 'e3', 'e2']);
    expect(deadReasons()).toEqual(['handler-requested', 'non-retryable', 'retries-exhausted']);
    expect(partition.committed).toBe(4n);
  });

  it('leaves its batch when its payload cannot be read', async () => {
    const Checked = {
      ...Created,
      validate: (payload: unknown) =>
        idOf(payload) === 'e1'
          ? { valid: false as const, issues: [{ path: 'id', message: 'is wrong' }] }
          : { valid: true as const, payload },
    };
    const clock = new ManualClock();
    const partition = new ModelPartition('orders', 0);
    for (const id of numbered(3)) append(partition, id);
    partition.append({
      value: Buffer.from('not json'),
      headers: [[HEADERS.eventType, Buffer.from('order.created.v1')]],
    });
    const seen: string[][] = [];
    const handler = batchHandlerOf('h', [Checked], (batch) => seen.push(idsIn(batch)));
    const engine = await startEngine([partition], [handler], { clock });
    engine.kafka.fetch(partition);
    await clock.advanceAsync(1_000);
    await settle();

    expect(seen).toEqual([['e0', 'e2']]);
    expect(engine.deadLetters.map(({ record }) => record.headers)).toEqual([
      expect.arrayContaining([['dlq-reason', Buffer.from('invalid')]]),
      expect.arrayContaining([['dlq-reason', Buffer.from('undecodable')]]),
    ]);
    expect(engine.signals.find(({ name }) => name === 'deadLettered')?.signal).toMatchObject({
      error: expect.any(InvalidPayloadError),
    });
  });

  it('holds up its key, and no other, while its dead letter is not acknowledged', async () => {
    let away = true;
    const { pass, batches, deadIds, partition } = await shop(
      ['a-1', 'b-1', 'a-2', 'b-2'],
      (batch) => {
        for (const { payload, index } of batch) {
          if (idOf(payload) === 'a-1') batch.deadLetter(index, 'poison');
        }
      },
      { maxSize: 2 },
      {
        onDeadLetter: () => {
          if (away) throw new Error('the broker is away');
        },
      },
    );
    await pass(20_000);
    expect(batches).toEqual([['a-1', 'b-1'], ['b-2']]);
    expect(partition.committed).toBeNull();
    away = false;
    await pass(6_000);

    expect(batches).toEqual([['a-1', 'b-1'], ['b-2'], ['a-2']]);
    expect(deadIds()).toEqual(['a-1']);
    expect(partition.committed).toBe(4n);
  });

  it.each([
    ['its key', 'key', ['a-0', 'b-2']],
    ['everything behind it, where a partition is kept in line', 'partition', ['a-0']],
  ] as const)(
    'that breaks its contract holds up %s, in its own batch, too',
    async (_, ordering, before) => {
      const Checked = {
        ...Created,
        validate: (payload: unknown) =>
          idOf(payload) === 'a-1'
            ? { valid: false as const, issues: [{ path: 'id', message: 'is wrong' }] }
            : { valid: true as const, payload },
      };
      let away = true;
      const clock = new ManualClock();
      const partition = new ModelPartition('orders', 0);
      for (const id of ['a-0', 'a-1', 'b-2', 'a-3']) append(partition, id, { key: id[0] });
      const seen: string[] = [];
      const body: Body = (batch) => void seen.push(...idsIn(batch));
      const handler = batchHandlerOf('h', [Checked], body, { ordering });
      const onDeadLetter = (): void => {
        if (away) throw new Error('the broker is away');
      };
      const engine = await startEngine([partition], [handler], { clock, onDeadLetter });
      const pass = async (): Promise<void> => {
        for (let i = 0; i < 100; i++) {
          await clock.advanceAsync(100);
          await settle(5);
        }
      };
      engine.kafka.fetch(partition);
      await pass();
      expect(seen).toEqual(before);
      away = false;
      await pass();

      expect(seen.sort()).toEqual(['a-0', 'a-3', 'b-2']);
      expect(engine.deadLetters).toHaveLength(1);
      expect(partition.committed).toBe(4n);
    },
  );

  it('comes to its end for each of its handlers by itself', async () => {
    const clock = new ManualClock();
    const partition = new ModelPartition('orders', 0);
    for (const id of numbered(2)) append(partition, id);
    const seen: string[] = [];
    const one = batchHandlerOf('one', [Created], (batch) => {
      seen.push(`one ${idsIn(batch).join(' ')}`);
      if (batch.length === 2) batch.retry(1, new Error('not yet'));
    });
    const two = batchHandlerOf('two', [Created], (batch) => {
      seen.push(`two ${idsIn(batch).join(' ')}`);
    });
    const engine = await startEngine([partition], [one, two], { clock });
    engine.kafka.fetch(partition);
    await clock.advanceAsync(200);
    await settle();
    expect(seen).toEqual(['one e0 e1', 'two e0 e1']);
    expect(engine.consumer.partitions[0]?.tracker.watermark).toBe(1n);
    await clock.advanceAsync(1_000);
    await settle();

    expect(seen).toEqual(['one e0 e1', 'two e0 e1', 'one e1']);
    expect(engine.consumer.partitions[0]?.tracker.watermark).toBe(2n);
  });
});

describe('a record that somebody else is at', () => {
  it('waits with the later ones of its key, and the batch goes without them', async () => {
    const store = new MemoryIdempotencyStore();
    const key = 'group\0h\0order.created.v1\0orders\0\0\0a-1';
    store.claim([{ key, token: 'other', leaseMs: 60_000, level: 0, retentionMs: 60_000 }]);
    const { pass, batches, engine } = await shop(
      ['a-1', 'b-1', 'a-2', 'b-2'],
      () => undefined,
      {},
      { store },
    );
    await pass(1_000);
    expect(batches).toEqual([['b-1', 'b-2']]);
    expect(engine.count('leaseWait')).toBe(1);
    store.release([{ key, token: 'other', attempts: 2, retentionMs: 60_000 }]);
    await pass(61_000);

    expect(batches).toEqual([
      ['b-1', 'b-2'],
      ['a-1', 'a-2'],
    ]);
  });
});

describe('a batch that throws', () => {
  it('fails what was not decided, and that alone', async () => {
    const { pass, batches, deadIds } = await shop(numbered(4), (batch) => {
      if (batch.length < 4) return;
      batch.settle(0);
      batch.deadLetter(1, 'poison');
      throw new Error('half done');
    });
    await pass(3_000);

    expect(batches).toEqual([
      ['e0', 'e1', 'e2', 'e3'],
      ['e2', 'e3'],
    ]);
    expect(deadIds()).toEqual(['e1']);
  });

  it('comes back in halves, until the record that is to blame is alone', async () => {
    const { pass, deadIds, partition, batches, engine } = await shop(numbered(64), (batch) => {
      if (idsIn(batch).includes('e20')) throw new Error('poison');
    });
    await pass(20_000);

    expect(deadIds()).toEqual(['e20']);
    expect(partition.committed).toBe(64n);
    expect(engine.count('handled')).toBe(63);
    const withPoison = batches.filter((ids) => ids.includes('e20')).map(({ length }) => length);
    expect(withPoison).toEqual([64, 32, 16, 8, 1]);
  });

  it('gives nobody up for what others did, also after a restart', async () => {
    const store = new MemoryIdempotencyStore();
    // Four attempts of five are spent, and nobody remembers in which company.
    for (const id of numbered(4)) {
      const key = `group\0h\0order.created.v1\0orders\0\0\0${id}`;
      store.claim([{ key, token: id, leaseMs: 60_000, level: 0, retentionMs: 60_000 }]);
      store.release([{ key, token: id, attempts: 4, retentionMs: 60_000 }]);
    }
    const body: Body = (batch) => {
      if (idsIn(batch).includes('e2')) throw new Error('poison');
    };
    const { pass, batches, deadIds, partition } = await shop(numbered(4), body, {}, { store });
    await pass(1_000);

    expect(batches).toEqual([['e0'], ['e1'], ['e2'], ['e3']]);
    expect(deadIds()).toEqual(['e2']);
    expect(partition.committed).toBe(4n);
  });

  it('gives all of it up at once where the error says so, or there is but one attempt', async () => {
    const poison: Body = () => {
      throw new NonRetryableEventError('not for me');
    };
    const broken: Body = () => {
      throw new Error('broken');
    };
    const refused = await shop(numbered(3), poison);
    const once = await shop(numbered(3), broken, { retry: { ...RETRY, attempts: 1 } });
    await refused.pass(300);
    await once.pass(300);

    expect(refused.deadReasons()).toEqual(Array(3).fill('non-retryable'));
    expect(once.deadReasons()).toEqual(Array(3).fill('retries-exhausted'));
    expect([refused.batches.length, once.batches.length]).toEqual([1, 1]);
  });

  it('is shown to the filters once, and theirs is the word on all of it', async () => {
    const clock = new ManualClock();
    const partition = new ModelPartition('orders', 0);
    for (const id of numbered(3)) append(partition, id);
    const shown: unknown[] = [];
    const handler = {
      ...batchHandlerOf('h', [Created], () => {
        throw new Error('broken');
      }),
      filter: (error: Error, payload: unknown, context: unknown) => {
        shown.push([error.message, payload === context]);
        return EventOutcome.succeeded();
      },
    };
    const engine = await startEngine([partition], [handler], { clock });
    engine.kafka.fetch(partition);
    await clock.advanceAsync(300);
    await settle();

    expect(shown).toEqual([['broken', true]]);
    expect(engine.count('handled')).toBe(3);
  });
});

describe('a handler of batches that is slow', () => {
  it('is told so, and given up after twice its time: what it settled is done', async () => {
    let batch: EventBatch | undefined;
    const { pass, deadIds, deadReasons, partition, batches, engine } = await shop(
      numbered(3),
      (given) => {
        batch = given;
        given.settle(0);
        given.retry(1, new Error('not yet'));
        return new Promise(() => undefined);
      },
      { timeoutMs: 1_000 },
    );
    await pass(1_300);
    expect(batch?.signal.aborted).toBe(true);
    expect(engine.count('handlerTimedOut')).toBe(1);
    expect(deadIds()).toEqual([]);
    await pass(1_000);

    expect(deadIds()).toEqual(['e1', 'e2']);
    expect(deadReasons()).toEqual(['timeout', 'timeout']);
    expect(partition.committed).toBe(3n);
    expect(batches).toHaveLength(1);
    expect(engine.count('slotLeaked')).toBe(1);
    expect(() => batch?.settle(2)).toThrow('h has ended');
  });
});

describe('an outage', () => {
  it('is probed with one record, spends no attempts and dead-letters nothing', async () => {
    let away = true;
    const { pass, batches, engine, partition } = await shop(
      numbered(200),
      (batch) => {
        if (!away) return;
        for (const { index } of batch) batch.retry(index, new Error('the database is away'));
      },
      { maxSize: 50, outage: { records: 20, failing: 0.5, maxProbeDelayMs: 30_000 } },
    );
    await pass(120_000);
    expect(engine.count('outageBegan')).toBe(1);
    expect(batches.slice(1).every(({ length }) => length === 1)).toBe(true);
    expect(engine.deadLetters).toEqual([]);
    away = false;
    await pass(31_000);

    expect(partition.committed).toBe(200n);
    expect(engine.deadLetters).toEqual([]);
    expect(engine.count('handled')).toBe(200);
  });

  it('is seen when batches throw, too, before anything is given up', async () => {
    let away = true;
    const { pass, engine, partition } = await shop(
      numbered(100),
      () => {
        if (away) throw new Error('the database is away');
      },
      { maxSize: 50, outage: { records: 20, failing: 0.5, maxProbeDelayMs: 30_000 } },
    );
    await pass(120_000);
    expect(engine.count('outageBegan')).toBe(1);
    expect(engine.deadLetters).toEqual([]);
    away = false;
    await pass(40_000);

    expect(partition.committed).toBe(100n);
    expect(engine.deadLetters).toEqual([]);
  });

  it('is not seen in one record that has every batch throw', async () => {
    const { pass, engine, deadIds } = await shop(
      numbered(500),
      (batch) => {
        if (idsIn(batch).includes('e77')) throw new Error('poison');
      },
      { outage: { records: 20, failing: 0.5, maxProbeDelayMs: 30_000 } },
    );
    await pass(30_000);

    expect(engine.count('outageBegan')).toBe(0);
    expect(deadIds()).toEqual(['e77']);
    expect(engine.count('handled')).toBe(499);
  });
});
