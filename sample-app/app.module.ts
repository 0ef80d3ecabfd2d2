import { Module } from '@nestjs/common';
import { KafkaEventsModule } from 'nestjs-kafka-events';

import { ShopModule } from './shop.module.js';

@Module({
  imports: [
    KafkaEventsModule.forRoot({
      clientId: 'shop',
      consumer: { groupId: 'shop' },
      topics: 'create',
      // Enough for one instance. Several share a store, or a duplicate could be handled by each.
      idempotency: { store: 'memory' },
    }),
    ShopModule,
  ],
})
export class AppModule {}
