import { describe, expect, it } from '@jest/globals';

import type { EventBatch } from '../../../../lib/consuming/batch/event-batch.js';
import { DEAD_LETTER_HEADERS } from '../../../../lib/contracts/event-headers.js';
import { anyEvent, batchHandlerOf, startEngine } from '../../../support/engine.js';
import { append, idOf, settle } from '../../../support/engine-events.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { ModelPartition } from '../../../support/model-kafka.js';
import { MortalProcess } from '../../../support/mortal-process.js';
import { NaiveStore } from '../../../support/naive-store.js';

const Created = anyEvent('order.created');
const MINUTE = 60_000;
const HOURS_MS = 10 * 3_600_000;

function idsIn(batch: EventBatch): string[] {
  return batch.payloads.map(idOf);
}

describe('a record that kills its process from within a batch', () => {
  it('is dead-lettered, and nothing else of that batch is', async () => {
    const clock = new ManualClock();
    const partitions = [0, 1].map((number) => new ModelPartition('orders', number));
    const ids = Array.from({ length: 40 }, (_, i) => `e${String(i)}`);
    ids.forEach((id, i) => {
      for (const each of partitions) if (each.partition === i % 2) append(each, id);
    });
    const handled: string[] = [];
    const batches: string[][] = [];
    const body = async (batch: EventBatch): Promise<void> => {
      batches.push(idsIn(batch));
      await settle(1);
      if (idsIn(batch).includes('e20')) return process.die();
      await settle(1);
      handled.push(...idsIn(batch));
    };
    const handler = batchHandlerOf('h', [Created], body, {
      ...{ maxWaitMs: 0, timeoutMs: HOURS_MS },
      idempotency: { windowMs: HOURS_MS, scope: 'event' },
    });
    const store = new NaiveStore(clock);
    const process = new MortalProcess(partitions, [handler], { clock, store });

    await process.keepAlive(() => partitions.every((each) => each.committed === each.endOffset));

    expect(
      process.deadLetters.map(({ record }) => [
        idOf(JSON.parse(String(record.value))),
        String(record.headers.find(([name]) => name === DEAD_LETTER_HEADERS.reason)?.[1]),
      ]),
    ).toEqual([['e20', 'crash-loop']]);
    expect(new Set(handled)).toEqual(new Set(ids.filter((id) => id !== 'e20')));
    // One to be suspected, in company; then in batches of its own.
    const withKiller = batches.filter((batch) => batch.includes('e20'));
    expect(withKiller.map(({ length }) => length)).toEqual([20, 1, 1, 1, 1]);
    expect(process.deaths).toBe(5);
  });
});

describe('a handler of batches with a retry topic', () => {
  it('is given each parked record by itself when it is due, as it was in its topic', async () => {
    const clock = new ManualClock();
    const orders = new ModelPartition('orders', 0);
    const parked = new ModelPartition('orders.group.retry', 0);
    for (const id of ['e0', 'e1', 'e2']) append(orders, id);
    const batches: string[] = [];
    const body = (batch: EventBatch): void => {
      batches.push(`${batch.topic} ${idsIn(batch).join(' ')}`);
      for (const { index, payload, attempt } of batch) {
        if (idOf(payload) !== 'e0' && attempt < 3) batch.retry(index, new Error('not yet'));
      }
    };
    const engine = await startEngine(
      [orders, parked],
      [
        batchHandlerOf('h', [Created], body, {
          maxWaitMs: 0,
          retry: { attempts: 2, initialDelayMs: 10, factor: 1, maxDelayMs: 10, jitter: 0 },
          retryTopic: { delaysMs: [MINUTE] },
        }),
      ],
      { clock },
    );
    const pass = async (ms: number): Promise<void> => {
      for (let spent = 0; spent < ms; spent += 1_000) {
        for (const each of [orders, parked]) engine.kafka.fetch(each);
        await clock.advanceAsync(1_000);
        await settle(8);
      }
    };
    await pass(10_000);
    expect(batches).toEqual(['orders e0 e1 e2', 'orders e1', 'orders e2']);
    expect(engine.count('parked')).toBe(2);
    await pass(2 * MINUTE);

    expect(batches.slice(3)).toEqual(['orders e1', 'orders e2']);
    expect([orders.committed, parked.committed]).toEqual([3n, 2n]);
  });
});
