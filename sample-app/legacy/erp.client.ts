import {
  defineSyncService,
  httpJson,
  syncService,
  type SyncRegistration,
} from 'nestjs-kafka-events';

import type { Booking, Delivery } from '../erp/erp-server.js';

/** The ERP's API, by what the shop uses of it. */
export interface ErpApi {
  book(booking: Booking): Promise<{ readonly number: number }>;
  deliveries(request: { readonly after: number }): Promise<readonly Delivery[]>;
}

export const Erp = defineSyncService<ErpApi>({ name: 'erp' });

export function erpService(baseUrl: string): SyncRegistration {
  return syncService(Erp, {
    transport: httpJson<ErpApi>({
      baseUrl,
      methods: {
        book: { verb: 'POST', path: '/bookings' },
        deliveries: { verb: 'GET', path: ({ after }) => `/deliveries?after=${String(after)}` },
      },
    }),
    deadlineMs: 5_000,
  });
}
