/** A service that answers over REST and over gRPC, both with the same work; prints `ready`. */
import 'reflect-metadata';

import { setTimeout as delay } from 'node:timers/promises';
import { Controller, Get, Module, Param } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { GrpcMethod, Transport, type MicroserviceOptions } from '@nestjs/microservices';

import { GRPC, type Surroundings } from './surroundings.js';

interface StockLevel {
  readonly sku: string;
  readonly available: number;
}

const { httpPort, grpcPort, workMs } = JSON.parse(process.argv[2] ?? '{}') as Surroundings;

async function look(sku: string): Promise<StockLevel> {
  await delay(workMs);
  return { sku, available: 7 };
}

@Controller('stock')
class StockController {
  @Get(':sku')
  rest(@Param('sku') sku: string): Promise<StockLevel> {
    return look(sku);
  }

  @GrpcMethod('Stock', 'GetStock')
  grpc({ sku }: { readonly sku: string }): Promise<StockLevel> {
    return look(sku);
  }
}

@Module({ controllers: [StockController] })
class StockModule {}

const app = await NestFactory.create(StockModule, { logger: ['error'] });
app.connectMicroservice<MicroserviceOptions>({
  transport: Transport.GRPC,
  options: {
    ...{ package: GRPC.package, protoPath: GRPC.protoPath },
    url: `127.0.0.1:${String(grpcPort)}`,
  },
});
await app.startAllMicroservices();
await app.listen(httpPort, '127.0.0.1');
process.stdout.write('ready\n');
