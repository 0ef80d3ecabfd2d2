import { Module } from '@nestjs/common';

import { BillingModule } from './billing/billing.module.js';
import { InventoryModule } from './inventory/inventory.module.js';
import { NotificationsModule } from './notifications/notifications.module.js';
import { OrdersModule } from './orders/orders.module.js';
import { TelemetryModule } from './telemetry/telemetry.module.js';

/** What the shop does, without where its Kafka is: `AppModule` and the demo add that. */
@Module({
  imports: [OrdersModule, InventoryModule, BillingModule, NotificationsModule, TelemetryModule],
})
export class ShopModule {}
