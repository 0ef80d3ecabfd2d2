import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { FaultyShop, GROUP } from '../../support/faulty-shop.js';

/**
 * A member whose rejoin fails half-way has heartbeats that are welcome all the same, and no error would
 * ever tell kafkajs that it consumes nothing.
 */
describe('a rejoin', () => {
  it.each(['its connection closed', 'never answered', 'refused for the moment'] as const)(
    'whose assignment is lost, %s, is begun again',
    async (how) => {
      const shop = await idle();
      const lost = shop.kafka.on('SyncGroup', async (_, control) => {
        if (how === 'refused for the moment') return control.fail('COORDINATOR_LOAD_IN_PROGRESS');
        await control.handle();
        return how === 'never answered' ? control.swallow() : control.closeConnection();
      });
      shop.kafka.triggerRebalance(GROUP);
      await eventually(() => lost.hits === 1);
      for (const partition of PARTITIONS) await shop.order(partition, 2);

      await shop.keepsItsPromise();
      expect(lost.hits).toBe(1);
    },
  );

  it('that nobody but the member wanted, and that never reached the broker, is begun again', async () => {
    const shop = await idle();
    const lost = shop.kafka.on('JoinGroup', (_, control) => control.closeConnection());
    shop.kafka.on('Heartbeat', (_, control) => control.fail('REBALANCE_IN_PROGRESS'));
    await eventually(() => lost.hits === 1);
    for (const partition of PARTITIONS) await shop.order(partition, 2);

    await shop.keepsItsPromise();
  });
});

const PARTITIONS = [0, 1, 2];

/** A member that has handled all there is. */
async function idle(): Promise<FaultyShop> {
  const shop = await FaultyShop.open();
  await shop.join();
  for (const partition of PARTITIONS) await shop.order(partition, 2);
  await shop.commits(shop.ends);
  return shop;
}
