import { TestProcess } from './child-process.js';
import {
  defineSyncService,
  syncService,
  type SyncServiceOptions,
} from '../../lib/fallback/sync-service.js';
import { SyncFallbackClient } from '../../lib/fallback/sync-fallback-client.js';
import { grpc } from '../../lib/fallback/grpc/grpc-transport.js';
import type { GrpcOptions } from '../../lib/fallback/grpc/grpc-options.js';
import { systemClock } from '../../lib/contracts/clock.js';
import type { SignalName } from '../../lib/observability/observer.js';
import { resolveOptions } from '../../lib/resolve-options.js';
import { FakeEventPublisher } from '../../lib/testing/fake-event-publisher.js';
import { acceptThrough } from './accept-command.js';
import { onCleanup } from './cleanup.js';

export const INVENTORY_PROTO = `${import.meta.dirname}/inventory.proto`;

export interface GrpcStock {
  readonly sku: string;
  readonly available: string;
  readonly seen: string;
  readonly padding: Buffer;
}

export interface GrpcInventoryApi {
  getStock(request: { readonly sku: string; readonly padding?: Buffer }): Promise<GrpcStock>;
  reserve(request: { readonly sku: string }): Promise<{ readonly reserved: boolean }>;
}

/** A real server in a process of its own, told how to behave. */
export class InventoryServer {
  private constructor(
    readonly process: TestProcess,
    readonly port: number,
  ) {}

  static async start({ port = 0, tls = [] as readonly string[] } = {}): Promise<InventoryServer> {
    const child = TestProcess.start('test/integration/grpc/inventory.child.ts', {
      args: [String(port), ...tls],
    });
    const line = await child.waitForLine('listening');
    return new InventoryServer(child, Number(line.split(' ')[1]));
  }

  get url(): string {
    return `127.0.0.1:${String(this.port)}`;
  }

  /** `ok`, `hang`, `slow <ms>`, `fail <STATUS>`, `flap`, `large <bytes>`. */
  async behave(how: string): Promise<void> {
    this.process.send(how);
    await this.process.waitForLine(`is ${how}`);
  }
}

export interface InventoryClientOptions extends Omit<
  SyncServiceOptions<GrpcInventoryApi>,
  'transport'
> {
  readonly name?: string;
  readonly grpc?: Partial<GrpcOptions>;
}

/** A client of the inventory behind that address, in real time. */
export async function inventoryAt(
  url: string,
  { name = 'inventory', grpc: given, ...options }: InventoryClientOptions = {},
) {
  const definition = defineSyncService<GrpcInventoryApi>({ name });
  const transport = grpc({
    ...{ url, protoPath: INVENTORY_PROTO, package: 'shop.inventory.v1', service: 'Inventory' },
    ...given,
  });
  const settings = resolveOptions(
    {
      ...{ clientId: 'shop', brokers: ['kafka:9092'], consume: false },
      sync: { services: [syncService(definition, { transport, ...options })] },
    },
    { NODE_ENV: 'test' },
    () => {
      throw new Error('nothing connects here');
    },
  );
  const signals: SignalName[] = [];
  const client = new SyncFallbackClient(settings.sync, {
    ...{ clock: systemClock, random: Math.random },
    accept: acceptThrough(new FakeEventPublisher()),
    signals: { emit: (signal) => void signals.push(signal) },
  });
  await client.open(() => {
    throw new Error('there are no providers here');
  });
  onCleanup(() => client.close(1_000));
  const service = client.service(definition);
  const state = () => client.health(String)[0]?.breaker;
  return { client, service, signals, state };
}
