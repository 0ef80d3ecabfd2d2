import { Controller, Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import {
  GrpcMethod,
  RpcException,
  Transport,
  type MicroserviceOptions,
} from '@nestjs/microservices';
import { status, type Metadata } from '@grpc/grpc-js';
import { describe, expect, it } from '@jest/globals';

import { grpc, inheritFrom, type IncomingCall } from '../../../lib/grpc/index.js';
import {
  defaultReply,
  defineSyncService,
  KafkaEventsHealth,
  KafkaEventsModule,
  readFrom,
  SyncFallbackClient,
  syncService,
  type KafkaEventsOptions,
  type SyncCallError,
} from '../../../lib/index.js';
import { onCleanup } from '../../support/cleanup.js';
import { eventually } from '../../support/eventually.js';
import { freePorts } from '../../support/free-ports.js';
import { INVENTORY_PROTO, type GrpcInventoryApi } from '../../support/grpc-inventory.js';
import { bootApp } from '../../support/nest-app.js';
import { rejectionOf } from '../../support/thrown-by.js';

const CONTRACT = { protoPath: INVENTORY_PROTO, package: 'shop.inventory.v1', service: 'Inventory' };

const Inventory = defineSyncService<GrpcInventoryApi>({ name: 'inventory' });

@Injectable()
class StockTable {
  read(sku: string) {
    const value = { sku, available: '3', seen: '', padding: Buffer.alloc(0) };
    return { value, ageMs: 40 };
  }
}

/** A service of Nest's own, behind its own gRPC server. */
async function serve(controller: new (...args: never[]) => object): Promise<string> {
  const [port] = await freePorts(1);
  const url = `127.0.0.1:${String(port)}`;
  @Module({ controllers: [controller] })
  class ServerModule {}
  const { protoPath, package: packageName } = CONTRACT;
  const app = await NestFactory.createMicroservice<MicroserviceOptions>(ServerModule, {
    transport: Transport.GRPC,
    options: { url, protoPath, package: packageName },
    logger: false,
  });
  await app.listen();
  onCleanup(() => app.close());
  return url;
}

function optionsFor(url: string): KafkaEventsOptions {
  return {
    ...{ clientId: 'shop', brokers: ['127.0.0.1:1'], connect: false, consume: false },
    sync: {
      services: [
        syncService(Inventory, {
          transport: grpc({ url, ...CONTRACT }),
          deadlineMs: 2_000,
          breaker: { calls: 4, minCalls: 2, openMs: 60_000 },
          methods: {
            getStock: {
              fallback: [readFrom(({ sku }, { get }) => get(StockTable).read(sku))],
            },
          },
        }),
      ],
    },
  };
}

async function boot(url: string) {
  const app = await bootApp({
    imports: [KafkaEventsModule.forRootAsync({ useFactory: async () => optionsFor(url) })],
    providers: [StockTable],
  });
  return {
    sync: app.get(SyncFallbackClient).service(Inventory),
    health: app.get(KafkaEventsHealth),
    app,
  };
}

describe('an application of Nest', () => {
  it('asks another one, and is answered', async () => {
    @Controller()
    class InventoryController {
      @GrpcMethod('Inventory', 'GetStock')
      getStock({ sku }: { sku: string }, metadata: Metadata) {
        return { sku, available: 5, seen: String(metadata.get('correlation-id')[0]) };
      }
      @GrpcMethod('Inventory', 'Reserve')
      reserve(): never {
        throw new RpcException({ code: status.FAILED_PRECONDITION, message: 'sold out' });
      }
    }
    const { sync, health } = await boot(await serve(InventoryController));
    expect(await sync.call('getStock', { sku: 'a' }, { correlationId: 'order-7' })).toMatchObject({
      source: 'service',
      value: { sku: 'a', available: '5', seen: 'order-7' },
    });
    const refusal = await rejectionOf(() => sync.call('reserve', { sku: 'a' }));
    expect(refusal).toMatchObject({ status: 'FAILED_PRECONDITION', origin: 'service' });
    expect(refusal.message).toContain('sold out');
    expect(health.check()).toMatchObject({
      status: 'up',
      sync: [{ service: 'inventory', breaker: 'closed', openForMs: null, inFlight: 0 }],
    });
  });

  it('goes on without the other one, from its own providers; degraded, and ready', async () => {
    const [port] = await freePorts(1);
    const { sync, health } = await boot(`127.0.0.1:${String(port)}`);
    for (let n = 0; n < 3; n++) {
      expect(await sync.call('getStock', { sku: 'a' })).toMatchObject({
        source: 'view',
        value: { available: '3' },
        ageMs: 40,
        cause: { status: 'UNAVAILABLE' },
      });
    }
    const report = health.check();
    expect(report).toMatchObject({
      ...{ status: 'degraded', ready: true, live: true },
      sync: [{ service: 'inventory', breaker: 'open', inFlight: 0, queued: 0 }],
      counts: { breakerOpened: 1, syncFellBack: 3 },
    });
    expect(report.problems.join()).toContain('service "inventory" is not called, its breaker');
  });

  it('hands on the deadline, the patience and the story of who called it', async () => {
    const asked: { metadata: Record<string, unknown>; leftMs: number; cancelled: Promise<void> }[] =
      [];
    @Controller()
    class InventoryController {
      @GrpcMethod('Inventory', 'GetStock')
      getStock(_: unknown, metadata: Metadata, call: IncomingCall) {
        asked.push({
          metadata: metadata.getMap(),
          leftMs: Number(call.getDeadline()) - Date.now(),
          cancelled: new Promise((resolve) => call.once('cancelled', resolve)),
        });
        return new Promise(() => undefined);
      }
    }
    const { sync } = await boot(await serve(InventoryController));

    const failures: SyncCallError[] = [];
    @Controller()
    class Gateway {
      @GrpcMethod('Inventory', 'Reserve')
      async reserve({ sku }: { sku: string }, _: Metadata, call: IncomingCall) {
        await sync.call('getStock', { sku }, inheritFrom(call)).catch((error: unknown) => {
          failures.push(error as SyncCallError);
        });
        return { reserved: false };
      }
    }
    const caller = await boot(await serve(Gateway));
    const patience = new AbortController();
    const called = rejectionOf(() =>
      caller.sync.call(
        'reserve',
        { sku: 'a' },
        {
          ...{ deadlineMs: 1_000, signal: patience.signal, correlationId: 'order-7' },
          metadata: { traceparent: '00-aa-bb-01', tracestate: 'vendor=1' },
        },
      ),
    );
    await eventually(() => asked.length === 1);
    patience.abort();
    await called;
    await asked[0]?.cancelled;

    expect(asked[0]?.metadata).toMatchObject({
      ...{ 'correlation-id': 'order-7', traceparent: '00-aa-bb-01', tracestate: 'vendor=1' },
    });
    expect(asked[0]?.leftMs).toBeLessThanOrEqual(1_010);
    expect(failures).toMatchObject([{ status: 'CANCELLED', origin: 'caller' }]);
  });

  it('does not boot with a default reply that nobody can make', async () => {
    const options = optionsFor('127.0.0.1:1');
    const services = [
      syncService(Inventory, {
        transport: grpc({ url: '127.0.0.1:1', ...CONTRACT }),
        methods: { reserve: { fallback: [defaultReply({ reserved: false } as never)] } },
      }),
    ];
    const error = await rejectionOf(() =>
      bootApp({ imports: [KafkaEventsModule.forRoot({ ...options, sync: { services } })] }),
    );
    expect(error).toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(error.message).toContain(
      "sync.services[0].methods['reserve'].fallback[0].reply: must be a function, got an object",
    );
  });
});
