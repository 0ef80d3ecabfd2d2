import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';

import type { HandlerSettings } from '../../../lib/consuming/handler-options.js';
import { defineEvent } from '../../../lib/contracts/define-event.js';
import type { EventSink } from '../../../lib/publishing/publish-options.js';
import { anyEvent, handlerOf, startEngine } from '../../support/engine.js';
import { eventually } from '../../support/eventually.js';
import { ModelPartition } from '../../support/model-kafka.js';
import { append } from '../../support/engine-events.js';

const Reserved = defineEvent({
  type: 'stock.reserved',
  version: 1,
  topic: 'stock',
  key: 'id',
  schema: z.object({ id: z.string() }),
});

/** Handles one event of id `1` at each place; answers the ids of what the handler published. */
async function causedIds(
  places: readonly { topic: string; partition: number; source?: string }[],
  settings: Partial<HandlerSettings> = {},
): Promise<string[]> {
  const ids: string[] = [];
  const sink: EventSink = {
    publish: (_source, _payload, { eventId = '' } = {}) => {
      ids.push(eventId);
      return Promise.resolve({ eventId, eventType: '', topic: '', partition: 0, offset: null });
    },
  };
  const partitions = places.map(({ topic, partition, source = '' }) => {
    const model = new ModelPartition(topic, partition);
    append(model, '1', { extra: [['ce_source', Buffer.from(source)]] });
    return model;
  });
  const contracts = [...new Set(places.map(({ topic }) => topic))].map((topic) =>
    anyEvent('order.created', topic),
  );
  const publishing = handlerOf(
    'h',
    contracts,
    (_, context) => context.publish(Reserved, { id: 'x' }),
    settings,
  );
  const engine = await startEngine(partitions, [publishing], { sink });
  for (const partition of partitions) engine.kafka.fetch(partition);
  await eventually(() => ids.length === places.length);
  return ids;
}

describe('ids of caused events', () => {
  it('differ where ids are unique only within a partition', async () => {
    const idempotency = { windowMs: 60_000, scope: 'partition' } as const;
    const places = [0, 1].map((partition) => ({ topic: 'orders', partition }));
    const [a, b] = await causedIds(places, { idempotency });
    expect(a).not.toBe(b);
  });

  it('differ where events differ by their CloudEvents source', async () => {
    const [a, b] = await causedIds([
      { topic: 'orders', partition: 0, source: '/a' },
      { topic: 'orders', partition: 1, source: '/b' },
    ]);
    expect(a).not.toBe(b);
  });

  it('differ where events of two topics have the same id', async () => {
    const [a, b] = await causedIds([
      { topic: 'orders', partition: 0 },
      { topic: 'payments', partition: 0 },
    ]);
    expect(a).not.toBe(b);
  });

  it('are the same for the same event, also for a handler without dedup', async () => {
    const same = { topic: 'orders', partition: 0 };
    const [a] = await causedIds([same]);
    const [b] = await causedIds([same], { idempotency: null });
    expect(a).toBe(b);
  });

  it('are the same after a rename with an alias', async () => {
    const same = { topic: 'orders', partition: 0 };
    const [a] = await causedIds([same]);
    const [b] = await causedIds([same], { id: 'renamed', claimedAs: 'h' });
    expect(a).toBe(b);
  });
});
