import { describe, expect, it } from '@jest/globals';

import { EventContext } from '../../../lib/consuming/event-context.js';
import { EventEnvelope } from '../../../lib/contracts/event-envelope.js';
import { HEADERS } from '../../../lib/contracts/event-headers.js';
import { defineEvent } from '../../../lib/contracts/define-event.js';
import { z } from 'zod';
import { inRecord } from '../../support/model-kafka.js';

const Reserved = defineEvent({ type: 'stock.reserved', version: 1, topic: 'stock', key: 'id', schema: z.object({ id: z.string() }) });

async function causedId(topic: string, partition: number, source = ''): Promise<string> {
  const headers = [
    [HEADERS.eventType, Buffer.from('order.created.v1')],
    [HEADERS.eventId, Buffer.from('1')],
    ['ce_source', Buffer.from(source)],
  ] as const;
  const envelope = new EventEnvelope({ topic, partition }, inRecord({ headers }));
  let id = '';
  const context = new EventContext({
    envelope,
    handlerId: 'h',
    attempt: 1,
    sink: {
      publish: (_source, _payload, options) => {
        id = options?.eventId ?? '';
        return Promise.resolve({ eventId: id, eventType: '', topic: '', partition: 0, offset: null });
      },
    },
  });
  await context.publish(Reserved, { id: 'x' });
  return id;
}

describe('ids of caused events', () => {
  it('differ where ids are unique only within a partition', async () => {
    expect(await causedId('orders', 0)).not.toBe(await causedId('orders', 1));
  });
  it('differ where events differ by their CloudEvents source', async () => {
    expect(await causedId('orders', 0, '/a')).not.toBe(await causedId('orders', 0, '/b'));
  });
  it('differ where events of two topics have the same id', async () => {
    expect(await causedId('orders', 0)).not.toBe(await causedId('payments', 0));
  });
});
