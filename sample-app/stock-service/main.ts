import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { Transport, type MicroserviceOptions } from '@nestjs/microservices';
import { KafkaEventsHealth } from 'nestjs-kafka-events';

import { StockServiceModule } from './stock-service.module.js';
import { STOCK_CONTRACT } from './stock.contract.js';

const app = await NestFactory.createMicroservice<MicroserviceOptions>(StockServiceModule, {
  transport: Transport.GRPC,
  options: { ...STOCK_CONTRACT, url: process.env.STOCK_URL ?? 'localhost:5000' },
});
app.enableShutdownHooks();
await app.init();
// It opens its door when it knows the stock: until then callers do better without it.
await app.get(KafkaEventsHealth).whenReady({ timeoutMs: 60_000 });
await app.listen();
