import { Module, type DynamicModule } from '@nestjs/common';
import { KafkaEventsModule, type KafkaEventsOptions } from 'nestjs-kafka-events';

import { ShopModule } from '../shop.module.js';

/** The shop on a Kafka of the demo's choice. */
@Module({ imports: [ShopModule] })
export class DemoModule {
  static on(options: KafkaEventsOptions): DynamicModule {
    return { module: DemoModule, imports: [KafkaEventsModule.forRoot(options)] };
  }
}
