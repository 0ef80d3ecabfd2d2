import { Module } from '@nestjs/common';

import { BillingModule } from './billing/billing.module.js';
import { CheckoutModule } from './checkout/checkout.module.js';
import { InventoryModule } from './inventory/inventory.module.js';
import { LegacyModule } from './legacy/legacy.module.js';
import { NotificationsModule } from './notifications/notifications.module.js';
import { ReportingModule } from './reporting/reporting.module.js';
import { TelemetryModule } from './telemetry/telemetry.module.js';

/** What the shop does, without where its Kafka is: `AppModule` and the demo add that. */
@Module({
  imports: [
    CheckoutModule,
    InventoryModule,
    BillingModule,
    LegacyModule,
    NotificationsModule,
    ReportingModule,
    TelemetryModule,
  ],
})
export class ShopModule {}
