import { describe, expect, it } from '@jest/globals';

import { onCleanup } from '../../support/cleanup.js';
import { dateOf } from '../../support/date-of.js';
import { eventually } from '../../support/eventually.js';
import { FaultyShop, GROUP, SESSION_MS } from '../../support/faulty-shop.js';
import { WALL_TIME_STEPS } from '../../support/wall-time-steps.js';

describe('the time of day, set by an hour', () => {
  it.each(WALL_TIME_STEPS)('%s, costs a member of the group nothing', async (_, stepMs) => {
    const shop = await FaultyShop.open();
    const member = await shop.join();
    await member.owns(3);
    await shop.done(await shop.order(0, 3));
    setTimeOfDay(stepMs);
    const setAt = performance.now();
    while (performance.now() - setAt < 2 * SESSION_MS) await shop.done(await shop.order(1, 1));
    await shop.order(0, 3);

    await shop.keepsItsPromise();
    expect(shop.kafka.group(GROUP)?.generationId).toBe(1);
    expect(member.health.status).toBe('up');
  });

  it.each(WALL_TIME_STEPS)('%s, does not hide partitions that are added', async (_, stepMs) => {
    const shop = await FaultyShop.open();
    const member = await shop.join({ consumer: { metadataMaxAgeMs: 300 } });
    await member.owns(3);
    setTimeOfDay(stepMs);
    await shop.grow(4);
    await eventually(() => member.owned.length === 4, { timeoutMs: 5_000 });

    await shop.done(await shop.order(3, 2));
  });
});

/** For all of this process, kafkajs too. */
function setTimeOfDay(stepMs: number): void {
  const real = Date;
  globalThis.Date = dateOf(() => real.now() + stepMs);
  onCleanup(() => {
    globalThis.Date = real;
  });
}
