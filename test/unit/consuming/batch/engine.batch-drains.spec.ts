import { describe, expect, it } from '@jest/globals';

import type { EventBatch } from '../../../../lib/consuming/batch/event-batch.js';
import { MemoryIdempotencyStore } from '../../../../lib/idempotency/memory-idempotency-store.js';
import { anyEvent, batchHandlerOf, startEngine } from '../../../support/engine.js';
import { append, idOf, settle } from '../../../support/engine-events.js';
import { eventually } from '../../../support/eventually.js';
import { ModelPartition } from '../../../support/model-kafka.js';

const Created = anyEvent('order.created');
const A_MINUTE = 60_000;

/** Two partitions; nothing is full, so batches gather for a minute unless somebody ends that. */
async function gathering(body: (batch: EventBatch) => unknown = () => undefined) {
  const partitions = [new ModelPartition('orders', 0), new ModelPartition('orders', 1)] as const;
  const batches: string[][] = [];
  const store = new MemoryIdempotencyStore();
  const handler = batchHandlerOf(
    'h',
    [Created],
    (batch) => {
      batches.push(batch.payloads.map(idOf));
      return body(batch);
    },
    { maxSize: 10, maxWaitMs: A_MINUTE },
  );
  const engine = await startEngine(partitions, [handler], { store });
  const put = async (partition: 0 | 1, ...ids: string[]): Promise<void> => {
    for (const id of ids) append(partitions[partition], id);
    engine.kafka.fetch(partitions[partition]);
    await settle();
  };
  return { engine, partitions, batches, put, store };
}

describe('what is gathering', () => {
  it('is flushed and committed before a partition is given away', async () => {
    const { engine, partitions, batches, put } = await gathering();
    await put(0, 'e0', 'e1');
    await put(1, 'f0');

    await engine.kafka.rebalance([partitions[1]]);

    expect(batches).toEqual([['e0', 'e1'], ['f0']]);
    expect(partitions[0].committed).toBe(2n);
  });

  it('is flushed at a shutdown', async () => {
    const { engine, partitions, batches, put } = await gathering();
    await put(0, 'e0', 'e1');

    await engine.consumer.stop(1_000, 1_000);

    expect(batches).toEqual([['e0', 'e1']]);
    expect(partitions[0].committed).toBe(2n);
  });

  it('stays where it is while an operator holds its topic, and through a rebalance then', async () => {
    const { engine, partitions, batches, put } = await gathering();
    await put(0, 'e0');

    engine.consumer.holdTopics(() => true);
    await settle();
    await engine.kafka.rebalance(partitions);
    expect(batches).toEqual([]);
    engine.consumer.holdTopics(() => false);
    await settle();
    await put(0, 'e1', 'e2', 'e3', 'e4', 'e5', 'e6', 'e7', 'e8', 'e9');

    expect(batches.map(({ length }) => length)).toEqual([10]);
  });

  it('is dropped with a partition that is lost without a word', async () => {
    const { engine, partitions, batches, put } = await gathering();
    await put(0, 'e0');

    engine.kafka.evict([partitions[0]]);
    await settle();
    expect(batches).toEqual([]);
    await put(0, 'e1', 'e2', 'e3', 'e4', 'e5', 'e6', 'e7', 'e8', 'e9');

    expect(batches.map(({ length }) => length)).toEqual([10]);
    await eventually(() => partitions[0].committed === 10n);
  });
});

describe('a drain', () => {
  it('waits for the batch that runs, and starts no other', async () => {
    const ends: (() => void)[] = [];
    const { engine, partitions, batches, put } = await gathering(
      () => new Promise<void>((resolve) => ends.push(resolve)),
    );
    await put(0, ...Array.from({ length: 25 }, (_, i) => `e${String(i)}`));
    const rebalanced = engine.kafka.rebalance([]);
    await settle();
    expect(partitions[0].committed).toBeNull();

    ends.shift()?.();
    await rebalanced;
    await settle();

    expect(batches).toHaveLength(1);
    expect(partitions[0].committed).toBe(10n);
  });

  it('gives back the claims of all that does not run', async () => {
    const { engine, partitions, put, store, batches } = await gathering((batch) => {
      for (const { index } of batch) batch.retry(index, new Error('not yet'), 30_000);
    });
    await put(0, 'e0');
    await engine.kafka.rebalance([partitions[1]]);
    expect(batches).toEqual([['e0']]);

    const key = 'group\0h\0order.created.v1\0orders\0\0\0e0';
    expect(
      store.claim([{ key, token: 'other', leaseMs: 1, level: 0, retentionMs: 60_000 }]),
    ).toEqual([{ status: 'claimed', attempts: 1 }]);
  });

  it('leaves a partition that stays to go on, in order', async () => {
    const { engine, partitions, batches, put } = await gathering();
    await put(0, ...Array.from({ length: 15 }, (_, i) => `e${String(i)}`));
    expect(batches).toHaveLength(1);

    await engine.kafka.rebalance(partitions);
    await put(0, ...Array.from({ length: 10 }, (_, i) => `e${String(15 + i)}`));
    await eventually(() => partitions[0].committed === 25n);

    expect(batches.flat()).toEqual(Array.from({ length: 25 }, (_, i) => `e${String(i)}`));
  });

  it('lets a batch that outlives it complete its claims, so that it is not run again', async () => {
    let end: () => void = () => undefined;
    const { engine, partitions, batches, put } = await gathering(
      () =>
        new Promise<void>((resolve) => {
          end = resolve;
        }),
    );
    await put(0, ...Array.from({ length: 10 }, (_, i) => `e${String(i)}`));
    await engine.kafka.rebalance([], 20);
    await engine.kafka.rebalance([partitions[0]], 20);
    engine.kafka.fetch(partitions[0]);
    await settle();
    expect(batches).toHaveLength(1);
    end();
    await eventually(() => partitions[0].committed === 10n);

    expect(batches).toHaveLength(1);
    expect(engine.count('duplicate')).toBe(10);
  });
});
