import { describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { Test } from '@nestjs/testing';

import {
  EventHandler,
  EventPublisher,
  MaterialisedViews,
  UnknownViewError,
  defineView,
  projects,
} from '../../../lib/index.js';
import { EventSpy, KafkaEventsTestingModule } from '../../../lib/testing/index.js';
import { onCleanup } from '../../support/cleanup.js';
import { StockReserved } from '../../support/shop-events.js';

const count = projects(StockReserved, {
  key: ({ sku }) => sku,
  apply: (current: number | null) => (current ?? 0) + 1,
});
const Counts = defineView<number>({ name: 'counts', version: 1, on: [count] });

@Injectable()
class Shipping {
  @EventHandler(StockReserved)
  ship(): void {
    // Only to be handled.
  }
}

@Module({
  imports: [KafkaEventsTestingModule.forRoot({ views: { store: 'memory', views: [Counts] } })],
  providers: [Shipping],
})
class ShopModule {}

describe('views in the tests of an application', () => {
  it('are kept, and do not pass for handlers', async () => {
    const module = await Test.createTestingModule({ imports: [ShopModule] }).compile();
    const app = await module.init();
    onCleanup(() => app.close());
    const counts = app.get(MaterialisedViews).of(Counts);
    const receipt = await app.get(EventPublisher).publish(StockReserved, { sku: 'a' });
    await counts.waitFor(receipt);
    expect(await counts.get('a')).toMatchObject({ key: 'a', value: 1, version: 1 });
    const spy = app.get(EventSpy);
    await spy.handled(StockReserved);
    expect(await spy.handledEvents(StockReserved)).toHaveLength(1);
    const other = defineView<number>({ name: 'others', version: 1, on: [count] });
    expect(() => app.get(MaterialisedViews).of(other)).toThrow(UnknownViewError);
    expect(() => app.get(MaterialisedViews).of(other)).toThrow('where there are counts');
  });
});
