import { Module } from '@nestjs/common';
import { KafkaEventsModule } from 'nestjs-kafka-events';

import { StockView } from '../inventory/stock-view.js';
import { inEnvironment } from '../topic-names.js';
import { StockController } from './stock.controller.js';

@Module({
  imports: [
    KafkaEventsModule.forRoot({
      clientId: 'stock-service',
      consumer: { groupId: inEnvironment('stock-service') },
      topicName: inEnvironment,
      topics: 'create',
      idempotency: { store: 'memory' },
      views: { store: 'memory', views: [StockView] },
    }),
  ],
  controllers: [StockController],
})
export class StockServiceModule {}
