import { event, legacyFeed, SyncFallbackClient } from 'nestjs-kafka-events';

import type { Delivery } from '../erp/erp-server.js';
import { StockReceived } from '../inventory/stock-received.event.js';
import { Erp } from './erp.client.js';

/**
 * What came in by the ERP's word, as events. Its cursor is in memory: after a restart all is published again, under the
 * same ids, which `StockReceived` is made for.
 */
export const ErpDeliveries = legacyFeed<Delivery>({
  name: 'erp.deliveries',
  everyMs: 1_000,
  async poll(cursor, { get, signal }) {
    const after = Number(cursor ?? 0);
    const erp = get(SyncFallbackClient).service(Erp);
    const { value } = await erp.call('deliveries', { after }, { signal });
    const changes = value ?? [];
    return { changes, cursor: String(changes.at(-1)?.DELNO ?? after) };
  },
  id: ({ DELNO }) => String(DELNO),
  toEvent: ({ ARTNO, QTY, TOTAL }) =>
    event(StockReceived, { sku: ARTNO, quantity: QTY, soFar: TOTAL }),
});
