import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { describe, expect, it } from '@jest/globals';

import { anyEvent, handlerOf, startEngine } from '../../support/engine.js';
import { eventually } from '../../support/eventually.js';
import { ModelPartition } from '../../support/model-kafka.js';
import { append, idOf } from './fixtures.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const Created = anyEvent('order.created');
const MIB = 1024 * 1024;

function weakly(partition: ModelPartition): WeakRef<object>[] {
  const refs = partition.log.map((record) => new WeakRef<object>(record));
  partition.log.length = 0;
  return refs;
}

const alive = (refs: readonly WeakRef<object>[]): number =>
  refs.filter((ref) => ref.deref() !== undefined).length;

describe('memory of settled records', () => {
  it('lets go of records once they are settled and committed', async () => {
    const partition = new ModelPartition('orders', 0);
    for (let i = 0; i < 900; i++) append(partition, `e${String(i)}`);
    const engine = await startEngine([partition], [handlerOf('h', [Created], () => undefined)]);
    engine.kafka.fetch(partition);
    await eventually(() => partition.committed === 900n);
    engine.signals.length = 0;
    const refs = weakly(partition);
    await new Promise((resolve) => setTimeout(resolve, 50));
    collectGarbage();
    expect(alive(refs)).toBeLessThan(50);
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
    // In fetches of a hundred, each once the one before has settled, as a paused client would.
    for (let i = 0; i < 21; i++) {
      const before = handled;
      if (engine.kafka.fetch(partition, 100) === 0) break;
      await eventually(() => handled >= before + 99 || engine.kafka.paused.size > 0);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    const bytes = 20_000;
    const refs = weakly(partition);
    collectGarbage();
    // 1 MiB is the budget; leave room for one fetch on top.
    expect(alive(refs) * bytes).toBeLessThan(4 * MIB);
  }, 30_000);
});
