import { describe, expect, it } from '@jest/globals';

import { MemoryIdempotencyStore } from '../../../lib/idempotency/memory-idempotency-store.js';
import { append } from '../../support/engine-events.js';
import { anyEvent, handlerOf, startEngine } from '../../support/engine.js';
import { eventually } from '../../support/eventually.js';
import { ModelPartition } from '../../support/model-kafka.js';

const Created = anyEvent('order.created');

describe('a renamed handler', () => {
  it('does not repeat what it did under its oldest id', async () => {
    const store = new MemoryIdempotencyStore();
    const before = await deliver(store, 'Shop.reserve', 'Shop.reserve');
    expect(before.count('handled')).toBe(1);

    const renamed = await deliver(store, 'Stock.reserve', 'Shop.reserve');
    expect(renamed.count('handled')).toBe(0);
    expect(renamed.signals).toContainEqual(
      expect.objectContaining({
        name: 'duplicate',
        signal: expect.objectContaining({ handlerId: 'Stock.reserve' }),
      }),
    );
  });

  it('does repeat it without the alias', async () => {
    const store = new MemoryIdempotencyStore();
    await deliver(store, 'Shop.reserve', 'Shop.reserve');
    expect((await deliver(store, 'Stock.reserve', 'Stock.reserve')).count('handled')).toBe(1);
  });
});

async function deliver(store: MemoryIdempotencyStore, id: string, claimedAs: string) {
  const partition = new ModelPartition('orders', 0);
  append(partition, 'event-1');
  const handler = handlerOf(id, [Created], () => undefined, { claimedAs });
  const engine = await startEngine([partition], [handler], { store });
  engine.kafka.fetch(partition);
  await eventually(() => partition.committed === 1n);
  return engine;
}
