import { describe, expect, it } from '@jest/globals';

import type { DefinedEvent } from '../../../lib/contracts/event-source.js';
import { CONTRACT } from '../../../lib/contracts/event-source.js';
import { MemoryViewStore } from '../../../lib/views/memory-view-store.js';
import { defineView, projects } from '../../../lib/views/view-definition.js';
import { viewProjector } from '../../../lib/views/view-projector.js';
import type { ChangeAnswer, ViewStore } from '../../../lib/views/view-store.js';
import { anyEvent, batchHandlerOf, startEngine, type EngineOptions } from '../../support/engine.js';
import { append, settle } from '../../support/engine-events.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelPartition } from '../../support/model-kafka.js';

const REF = { view: 'shop.orders', version: 1 };
const ALL = { prefix: '', after: '', where: {}, limit: 100 };

function created(version: number): DefinedEvent<{ id: string }, { id: string }> {
  const eventType = `order.created.v${String(version)}`;
  const contract = { ...anyEvent('order.created'), version, eventType };
  return { ...contract, [CONTRACT]: contract };
}

/** A view of one event, whose rows are the ids of their events, kept by a real engine. */
async function keep(
  partition: ModelPartition,
  { tombstones = 'ignore', store = new MemoryViewStore(), versions = [1], ...rest }: Options = {},
) {
  const view = defineView<readonly string[]>({
    name: 'orders',
    version: 1,
    tombstones,
    on: versions.map((version) =>
      projects(created(version), {
        key: (_, { aggregateId }) => aggregateId ?? '',
        apply: (current, { id }) => [...(current ?? []), id],
      }),
    ),
  });
  const [live] = await store.generations(REF);
  const id = live?.id ?? (await store.begin(REF, 'g1'));
  await store.swap(REF, id, []);
  const { settings } = batchHandlerOf('view:orders', [], () => undefined, {
    ...{ maxWaitMs: 0, ordering: 'partition', idempotency: null },
    tombstones: tombstones === 'delete',
  });
  const clock = new ManualClock();
  const answers: (Error | null)[] = [];
  const projector = viewProjector(view, id, settings, {
    store,
    clock,
    topicName: (topic) => topic,
    onChanged: () => undefined,
    onStore: (error) => answers.push(error),
  });
  const engine = await startEngine([partition], [projector], { clock, ...rest });
  engine.kafka.fetch(partition);
  await settle();
  const rows = async () => {
    const found = (await store.list(REF, ALL)) ?? [];
    return Object.fromEntries(found.map(({ key, json }) => [key, JSON.parse(json)]));
  };
  return { engine, clock, answers, rows };
}

interface Options extends Pick<EngineOptions, 'onDeadLetter'> {
  readonly tombstones?: 'ignore' | 'delete';
  readonly store?: ViewStore;
  /** Of the event, that the view knows. */
  readonly versions?: readonly number[];
}

describe('the projector of a view', () => {
  it('deletes the row of a record without a value where that is what it means', async () => {
    for (const tombstones of ['ignore', 'delete'] as const) {
      const partition = new ModelPartition('orders', 0);
      append(partition, 'e1', { key: 'a' });
      append(partition, 'e2', { key: 'b' });
      partition.append({ key: Buffer.from('a'), value: null });
      const { rows, engine } = await keep(partition, { tombstones });
      expect(await rows()).toEqual(
        tombstones === 'delete' ? { b: ['e2'] } : { a: ['e1'], b: ['e2'] },
      );
      expect(engine.deadLetters).toEqual([]);
    }
  });

  it('takes a record without a type for the only event of its topic', async () => {
    const partition = new ModelPartition('orders', 0);
    partition.append({ key: Buffer.from('a'), value: Buffer.from('{"id":"e1"}') });
    const { rows } = await keep(partition);
    expect(await rows()).toEqual({ a: ['e1'] });
  });

  it('tries again, without spending attempts, while its store fails or has frozen it', async () => {
    const memory = new MemoryViewStore();
    const answers: (ChangeAnswer | Error)[] = [new Error('away'), 'frozen', 'gone'];
    const tries = answers.length;
    const store: ViewStore = Object.assign(Object.create(memory) as MemoryViewStore, {
      change: (...args: Parameters<ViewStore['change']>) => {
        const answer = answers.shift();
        if (answer instanceof Error) throw answer;
        return answer ?? memory.change(...args);
      },
      generations: (...args: Parameters<ViewStore['generations']>) => memory.generations(...args),
      begin: (...args: Parameters<ViewStore['begin']>) => memory.begin(...args),
      swap: (...args: Parameters<ViewStore['swap']>) => memory.swap(...args),
      list: (...args: Parameters<ViewStore['list']>) => memory.list(...args),
    });
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e1', { key: 'a' });
    const { rows, clock, engine, answers: told } = await keep(partition, { store });
    for (let i = 0; i < tries; i++) {
      expect(await rows()).toEqual({});
      await clock.advanceAsync(500);
      await settle();
    }
    expect(await rows()).toEqual({ a: ['e1'] });
    expect(engine.count('attemptFailed')).toBe(0);
    expect(told.map((error) => error?.message ?? null)).toEqual(['away', null, null, null]);
  });

  it.each([
    ['of a version that it does not know', 'order.created.v2'],
    ['without a type', ''],
  ])('does not pass an event %s before its dead letter is there', async (_, type) => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e1', { key: 'a' });
    append(partition, 'e2', { key: 'a', type });
    append(partition, 'e3', { key: 'b' });
    let isAway = true;
    const onDeadLetter = (): void => {
      if (isAway) throw new Error('away');
    };
    const versions = [1, 3];
    const { rows, clock, engine } = await keep(partition, { versions, onDeadLetter });
    expect(engine.count('deadLetterFailed')).toBe(1);
    expect(await rows()).toEqual({ a: ['e1'] });
    isAway = false;
    await clock.advanceAsync(1_000);
    await settle();
    expect(engine.deadLetters).toHaveLength(1);
    expect(await rows()).toEqual({ a: ['e1'], b: ['e3'] });
  });

  it('takes an event of a version that its next release knows', async () => {
    const store = new MemoryViewStore();
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e1', { key: 'a' });
    append(partition, 'e2', { key: 'a', type: 'order.created.v2' });
    append(partition, 'e3', { key: 'a' });
    const onDeadLetter = (): void => {
      throw new Error('away');
    };
    const before = await keep(partition, { store, onDeadLetter });
    await before.engine.consumer.stop(0, 0);
    const { rows, engine } = await keep(partition, { store, versions: [1, 2] });
    expect(await rows()).toEqual({ a: ['e1', 'e2', 'e3'] });
    expect(engine.deadLetters).toEqual([]);
  });
});
