import { describe, expect, it } from '@jest/globals';

import type { KafkaEventsOptions } from '../../../lib/kafka-events.options.js';
import { resolveOptions } from '../../../lib/resolve-options.js';
import { MemoryViewStore } from '../../../lib/views/memory-view-store.js';
import { stockView } from '../../support/stock-view.js';
import { thrownBy } from '../../support/thrown-by.js';

function resolve(views: unknown, groupId: string | undefined = 'shop') {
  const options = {
    ...{ clientId: 'shop', brokers: ['kafka:9092'], views },
    ...(groupId === '' ? {} : { consumer: { groupId } }),
  } as KafkaEventsOptions;
  return resolveOptions(options, { NODE_ENV: 'test' }, () => {
    throw new Error('nothing connects here');
  }).views;
}

function problemOf(views: unknown, groupId?: string): string {
  return thrownBy(() => resolve(views, groupId)).message;
}

describe('the option views', () => {
  it('may be left out', () => {
    expect(resolve(undefined)).toBeNull();
  });

  it('is a store and views', () => {
    const views = [stockView()];
    expect(resolve({ store: 'memory', views })).toMatchObject({ views });
    const store = new MemoryViewStore();
    expect(resolve({ store, views })?.store).toBe(store);
  });

  it('is refused where it cannot work', () => {
    const views = [stockView()];
    expect(problemOf({ views })).toContain("views.store: is missing; 'memory', or a store");
    expect(problemOf({ store: 'disk', views })).toContain('views.store: must be');
    expect(problemOf({ store: {}, views })).toContain('views.store: must be');
    expect(problemOf({ store: 'memory', views: [{}] })).toContain('views.views: must be a list of');
    expect(problemOf({ store: 'memory', views: [...views, ...views] })).toContain(
      'views.views: has two views of the name "stock-level"',
    );
    expect(problemOf({ store: 'memory', views }, '')).toContain(
      'views: needs a consumer group to name its own after',
    );
  });
});
