import { Module } from '@nestjs/common';
import { KafkaEventsModule } from 'nestjs-kafka-events';

import { ShopModule } from './shop.module.js';
import { shopOptions } from './shop.options.js';
import { inEnvironment } from './topic-names.js';

@Module({
  imports: [
    KafkaEventsModule.forRoot({
      clientId: 'shop',
      consumer: { groupId: inEnvironment('shop') },
      topicName: inEnvironment,
      topics: 'create',
      // Enough for one instance. Several share a store, or a duplicate could be handled by each.
      idempotency: { store: 'memory' },
      ...shopOptions({
        stockUrl: process.env.STOCK_URL ?? 'localhost:5000',
        erpUrl: process.env.ERP_URL ?? 'http://localhost:5001',
      }),
    }),
    ShopModule,
  ],
})
export class AppModule {}
