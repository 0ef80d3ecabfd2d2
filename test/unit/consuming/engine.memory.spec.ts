import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { describe, expect, it } from '@jest/globals';

import { anyEvent, handlerOf, startEngine } from '../../support/engine.js';
import { eventually } from '../../support/eventually.js';
import { ModelPartition } from '../../support/model-kafka.js';
import { append, idOf } from '../../support/engine-events.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const Created = anyEvent('order.created');
const MIB = 1024 * 1024;

/** Forgets the model's own log; answers how many of its records something else still holds. */
async function heldBeside(partition: ModelPartition): Promise<number> {
  const refs = partition.log.map((record) => new WeakRef<object>(record));
  partition.log.length = 0;
  await new Promise((resolve) => setTimeout(resolve, 50));
  collectGarbage();
  return refs.filter((ref) => ref.deref() !== undefined).length;
}

describe('memory of settled records', () => {
  it.each([900, 3_000])('lets go of %i records once they are settled and committed', async (n) => {
    const partition = new ModelPartition('orders', 0);
    for (let i = 0; i < n; i++) append(partition, `e${String(i)}`);
    const engine = await startEngine([partition], [handlerOf('h', [Created], () => undefined)]);
    engine.kafka.fetch(partition);
    await eventually(() => partition.committed === BigInt(n));
    engine.signals.length = 0;
    expect(await heldBeside(partition)).toBeLessThan(50);
  });

  it('bounds what settled records hold behind one that does not settle', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'stuck');
    for (let i = 0; i < 2_000; i++) append(partition, `e${String(i)}`, { padding: 20_000 });
    let handled = 0;
    const engine = await startEngine(
      [partition],
      [
        handlerOf('h', [Created], (payload) => {
          if (idOf(payload) === 'stuck') return new Promise(() => undefined);
          handled++;
          return undefined;
        }),
      ],
      { settings: { maxBufferedBytes: MIB } },
    );
    // In fetches of twenty, each once the one before has settled and the partition is not paused.
    for (let i = 0; i < 100; i++) {
      const before = handled;
      const fetched = engine.kafka.fetch(partition, 20);
      if (fetched === 0) break;
      await eventually(() => handled >= before + fetched - 1, { intervalMs: 1 });
    }
    // Else the partition was held back, which bounds the memory as well.
    if (engine.kafka.paused.size === 0) expect(handled).toBeGreaterThan(1_900);
    engine.signals.length = 0;
    const held = await heldBeside(partition);
    // The budget is 1 MiB; there is room here for a fetch on top.
    expect(held * 20_000).toBeLessThan(4 * MIB);
  });
});
