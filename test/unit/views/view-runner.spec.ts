import { describe, expect, it } from '@jest/globals';

import { DriverError } from '../../../lib/kafka-events.errors.js';
import type { GroupLag } from '../../../lib/kafka/driver.js';
import { MaterialisedViews } from '../../../lib/views/materialised-views.js';
import { MemoryViewStore } from '../../../lib/views/memory-view-store.js';
import { defineView, projects } from '../../../lib/views/view-definition.js';
import { ViewLog } from '../../../lib/views/view-log.js';
import { ViewRunner, type RunnerSurroundings } from '../../../lib/views/view-runner.js';
import type { ViewStore } from '../../../lib/views/view-store.js';
import { batchHandlerOf } from '../../support/engine.js';
import { settle } from '../../support/engine-events.js';
import { ManualClock } from '../../support/manual-clock.js';
import { OrderCreated } from '../../support/shop-events.js';

const View = defineView<unknown>({
  name: 'orders',
  version: 1,
  on: [projects(OrderCreated, { key: ({ orderId }) => orderId, apply: () => null })],
});

/** What keeps views, with a broker that answers as the test says. */
function around(groupLag: () => Promise<GroupLag>, store: ViewStore) {
  const clock = new ManualClock();
  let closed = 0;
  const log = new ViewLog(
    () => ({
      groupLag,
      describeTopics: () => Promise.resolve([]),
      createTopics: () => Promise.resolve(),
      close: () => {
        closed++;
        return Promise.resolve();
      },
    }),
    () => clock.now(),
  );
  const surroundings: RunnerSurroundings = {
    ...{ store, log, clock, consumes: false, groupId: 'shop', signals: { emit: () => undefined } },
    groups: {
      join: () => Promise.resolve(),
      leave: () => Promise.resolve(),
      watermarks: () => [],
    },
    topicName: (topic) => topic,
    settingsOf: () => batchHandlerOf('view:orders', [], () => undefined).settings,
    newId: () => 'g1',
    verified: () => Promise.resolve(),
    redact: (text) => text,
  };
  return { clock, surroundings, closed: () => closed };
}

describe('a view that is kept', () => {
  it('is noted as in use while the broker is away', async () => {
    let notes = 0;
    const store = new MemoryViewStore();
    store.begin({ view: 'shop.orders', version: 1 }, 'g1');
    store.sweep = () => {
      notes++;
      return false;
    };
    const away = new DriverError('retryable', 'away');
    const { surroundings, clock } = around(() => Promise.reject(away), store);
    const runner = new ViewRunner(View, surroundings);
    await expect(runner.start()).rejects.toBe(away);
    runner.keepOn();
    await clock.advanceAsync(11_000);
    await settle();
    expect(notes).toBeGreaterThanOrEqual(2);
    await runner.stop();
  });

  it('gives its connection up at once when it stops in the middle of a look', async () => {
    let looks = 0;
    const { surroundings, clock, closed } = around(
      () =>
        ++looks === 1 ? Promise.resolve({ members: 0, topics: [] }) : new Promise(() => undefined),
      new MemoryViewStore(),
    );
    const views = new MaterialisedViews([View], { ...surroundings, consumes: true });
    await views.start('retry');
    await clock.advanceAsync(2_000);
    await settle();
    expect([looks, closed()]).toEqual([2, 0]);

    const stopping = views.stop();
    await settle();
    expect(closed()).toBe(1);
    await clock.advanceAsync(2_000);
    await stopping;
  });
});
