import { SyncFallbackClient } from '../../lib/fallback/sync-fallback-client.js';
import {
  defineSyncService,
  syncService,
  type SyncServiceOptions,
} from '../../lib/fallback/sync-service.js';
import type { AcceptCommand } from '../../lib/fallback/accept-command.js';
import type { SyncCallOptions } from '../../lib/fallback/call-options.js';
import type { LookUp } from '../../lib/fallback/fallback.js';
import type { SyncResult } from '../../lib/fallback/sync-result.js';
import type { SyncAttempt, SyncTransport } from '../../lib/fallback/sync-transport.js';
import {
  SyncCallError,
  type SyncFailureOrigin,
  type SyncStatus,
} from '../../lib/kafka-events.errors.js';
import type { SignalName } from '../../lib/observability/observer.js';
import { resolveOptions } from '../../lib/resolve-options.js';
import { FakeEventPublisher } from '../../lib/testing/fake-event-publisher.js';
import { acceptThrough } from './accept-command.js';
import { onCleanup } from './cleanup.js';
import { ManualClock } from './manual-clock.js';

export interface StockRequest {
  readonly sku: string;
}

export interface Stock {
  readonly available: number;
}

export interface InventoryApi {
  getStock(request: StockRequest): Promise<Stock>;
  reserve(request: StockRequest): Promise<{ readonly reserved: boolean }>;
}

export const Inventory = defineSyncService<InventoryApi>({ name: 'inventory' });

/** A transport whose answers a test gives: a function for the next attempt, else for all others. */
export class ScriptedTransport implements SyncTransport {
  readonly name = 'a script';
  readonly attempts: SyncAttempt[] = [];
  readonly requests: unknown[] = [];
  renewals = 0;
  closed = false;
  readonly #next: ScriptedAnswer[] = [];

  constructor(private readonly otherwise: ScriptedAnswer = () => ({ available: 1 })) {}

  next(...answers: ScriptedAnswer[]): void {
    this.#next.push(...answers);
  }

  open(): readonly string[] {
    return ['getStock', 'reserve'];
  }

  async call(request: unknown, attempt: SyncAttempt): Promise<unknown> {
    this.requests.push(request);
    this.attempts.push(attempt);
    return (this.#next.shift() ?? this.otherwise)(attempt, request);
  }

  renew(): void {
    this.renewals++;
  }

  close(): void {
    this.closed = true;
  }
}

export type ScriptedAnswer = (attempt: SyncAttempt, request: unknown) => unknown;

/** An answer that fails with this status. */
export function failing(status: SyncStatus, origin: SyncFailureOrigin = 'service'): ScriptedAnswer {
  return (attempt) => {
    throw new SyncCallError(attempt, status, 'says the test', { origin });
  };
}

/** No answer, whoever gives up. */
export const hanging: ScriptedAnswer = () => new Promise(() => undefined);

export interface InventoryOptions extends Omit<SyncServiceOptions<InventoryApi>, 'transport'> {
  readonly random?: () => number;
  readonly lookUp?: LookUp;
  /** Default: by the publisher that is answered. */
  readonly accept?: AcceptCommand;
}

/** A client of one service, in time that stands still. */
export async function startInventory(
  answer?: ScriptedAnswer,
  { random = () => 0, lookUp, accept, ...options }: InventoryOptions = {},
) {
  const clock = new ManualClock();
  const transport = new ScriptedTransport(answer);
  const publisher = new FakeEventPublisher();
  const signals: (readonly [name: SignalName, signal: object])[] = [];
  const settings = resolveOptions(
    {
      ...{ clientId: 'shop', brokers: ['kafka:9092'], consume: false },
      sync: { services: [syncService(Inventory, { transport, ...options })] },
    },
    { NODE_ENV: 'test' },
    () => {
      throw new Error('nothing connects here');
    },
  );
  const client = new SyncFallbackClient(settings.sync, {
    ...{ clock, random, accept: accept ?? acceptThrough(publisher) },
    signals: { emit: (name, signal) => void signals.push([name, signal]) },
  });
  await client.open(
    lookUp ??
      (() => {
        throw new Error('there are no providers here');
      }),
  );
  onCleanup(async () => {
    const closed = client.close(0);
    await clock.advanceAsync(0);
    await closed;
  });
  const inventory = client.service(Inventory);
  const call = (options?: SyncCallOptions): Promise<SyncResult<Stock>> =>
    inventory.call('getStock', { sku: 'a' }, options);
  const stateOf = () => client.health(String)[0]?.breaker;
  const namesOf = () => signals.map(([name]) => name);
  return { clock, transport, publisher, signals, namesOf, client, inventory, call, stateOf };
}
