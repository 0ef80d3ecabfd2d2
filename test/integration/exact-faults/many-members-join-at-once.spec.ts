import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';
import { FaultyShop, GROUP, type ShopMember } from '../../support/faulty-shop.js';

const PARTITIONS = 10;
const MEMBERS = 5;

describe('five members', () => {
  it('that join and leave at once, again and again, lose, skip and repeat nothing', async () => {
    const shop = await FaultyShop.open({ partitions: PARTITIONS });
    const stays = await shop.join();
    const load = new Load(shop);
    for (let round = 0; round < 3; round++) {
      const guests = await joinAtOnce(shop, MEMBERS - 1);
      await share([stays, ...guests]);
      await load.goesOn();
      await Promise.all(guests.map((guest) => guest.leave()));
      await stays.owns(PARTITIONS);
      await load.goesOn();
    }
    await load.end();

    await shop.keepsItsPromise();
    expect(stays.health.status).toBe('up');
  });

  it('whose handlers are in the middle of it hand over without running anything twice', async () => {
    const shop = await FaultyShop.open({ partitions: PARTITIONS });
    const held = PARTITION_NUMBERS.map((partition) => shop.hold(`p${String(partition)}-0`));
    const first = await shop.join();
    for (const partition of PARTITION_NUMBERS) await shop.order(partition, 3);
    await Promise.all(held.map(({ running }) => running));
    const others = await joinAtOnce(shop, MEMBERS - 1);
    await share([first, ...others]);
    expect(shop.committed.every((offset) => offset === 0)).toBe(true);
    for (const { finish } of held) finish();

    await shop.keepsItsPromise();
  });

  it('thrown out at once come back, and repeat nothing', async () => {
    const shop = await FaultyShop.open({ partitions: PARTITIONS });
    const members = await joinAtOnce(shop, MEMBERS);
    await share(members);
    const load = new Load(shop);
    for (let round = 0; round < 2; round++) {
      shop.kafka.expireMember(GROUP);
      await share(members);
      await load.goesOn();
    }
    await load.end();

    await shop.keepsItsPromise();
  });

  it('told to join again while they join still end in one generation', async () => {
    const shop = await FaultyShop.open({ partitions: PARTITIONS });
    const joining = joinAtOnce(shop, MEMBERS);
    await eventually(() => shop.kafka.group(GROUP) !== undefined);
    const load = new Load(shop);
    for (let i = 0; i < 5; i++) {
      shop.kafka.triggerRebalance(GROUP);
      await load.goesOn();
    }
    await share(await joining);
    await load.end();

    await shop.keepsItsPromise();
  });
});

const PARTITION_NUMBERS = Array.from({ length: PARTITIONS }, (_, partition) => partition);

function joinAtOnce(shop: FaultyShop, count: number): Promise<ShopMember[]> {
  return Promise.all(Array.from({ length: count }, () => shop.join()));
}

/** Waits until the members own all partitions, each of them its share. */
async function share(members: readonly ShopMember[]): Promise<void> {
  await eventually(
    () => {
      expect(members.flatMap(({ owned }) => owned).sort((a, b) => a - b)).toEqual(
        PARTITION_NUMBERS,
      );
      const shares = members.map(({ owned }) => owned.length);
      expect(new Set(shares)).toEqual(new Set([PARTITIONS / members.length]));
      return members.every(({ health }) => health.ready);
    },
    { message: 'a share for each' },
  );
}

/** Orders for all partitions that keep coming, so that there is always something to lose. */
class Load {
  #going = true;
  #rounds = 0;
  readonly #ordering: Promise<void>;

  constructor(private readonly shop: FaultyShop) {
    this.#ordering = this.#order();
  }

  /** Waits until some more of them have been published. */
  async goesOn(): Promise<void> {
    const enough = this.#rounds + 2;
    await eventually(() => this.#rounds >= enough, { message: 'more orders' });
  }

  end(): Promise<void> {
    this.#going = false;
    return this.#ordering;
  }

  async #order(): Promise<void> {
    while (this.#going) {
      for (const partition of PARTITION_NUMBERS) await this.shop.order(partition, 4);
      this.#rounds++;
    }
  }
}
