import { describe, expect, it } from '@jest/globals';

import { SyncFallbackClient } from '../../../lib/fallback/sync-fallback-client.js';
import {
  defineSyncService,
  syncService,
  type SyncRegistration,
} from '../../../lib/fallback/sync-service.js';
import { MissingPeerError } from '../../../lib/kafka-events.errors.js';
import { resolveOptions } from '../../../lib/resolve-options.js';
import { FakeEventPublisher } from '../../../lib/testing/fake-event-publisher.js';
import { acceptThrough } from '../../support/accept-command.js';
import { ManualClock } from '../../support/manual-clock.js';
import { rejectionOf, thrownBy } from '../../support/thrown-by.js';
import {
  Inventory,
  ScriptedTransport,
  startInventory,
  type InventoryApi,
} from '../../support/sync-service.js';

/** A transport that cannot open. */
function broken(error: Error): ScriptedTransport {
  return Object.assign(new ScriptedTransport(), {
    open: () => {
      throw error;
    },
  });
}

function clientOf(...services: SyncRegistration[]) {
  const options = { clientId: 'shop', brokers: ['kafka:9092'], sync: { services } };
  const { sync } = resolveOptions(options, { NODE_ENV: 'test' }, () => {
    throw new Error('nothing connects here');
  });
  return new SyncFallbackClient(sync, {
    ...{ clock: new ManualClock(), random: () => 0 },
    accept: acceptThrough(new FakeEventPublisher()),
    signals: { emit: () => undefined },
  });
}

const noProviders = () => {
  throw new Error('there are no providers here');
};

describe('the client', () => {
  it('knows the services of the options, and says which there are', async () => {
    const { client } = await startInventory();
    const Billing = defineSyncService<InventoryApi>({ name: 'billing' });
    const error = thrownBy(() => client.service(Billing));
    expect(error).toMatchObject({ code: 'INVALID_TARGET' });
    expect(error.message).toBe(
      'there is no service "billing" in sync.services; there are "inventory"',
    );
  });

  it('says at once all that is wrong with how services are called', async () => {
    const Billing = defineSyncService<InventoryApi>({ name: 'billing' });
    const client = clientOf(
      syncService(Inventory, {
        transport: new ScriptedTransport(),
        methods: { getStok: {}, reserve: {} } as object,
      }),
      syncService(Billing, { transport: broken(new Error('the contract is gone')) }),
    );
    expect(await rejectionOf(() => client.open(noProviders))).toMatchObject({
      code: 'INVALID_OPTIONS',
      problems: [
        {
          option: "sync.services[0].methods['getStok']",
          problem: 'is not a method of a script; did you mean getStock?',
        },
        { option: 'sync.services[1].transport', problem: 'the contract is gone' },
      ],
    });
  });

  it('names a package that is missing', async () => {
    const missing = new MissingPeerError('@grpc/grpc-js', 'grpc({ … })', new Error());
    const client = clientOf(syncService(Inventory, { transport: broken(missing) }));
    expect(await rejectionOf(() => client.open(noProviders))).toBe(missing);
  });

  it('tells how each service is doing', async () => {
    const { client, call } = await startInventory();
    await call();
    expect(client.health(String)).toEqual([
      {
        service: 'inventory',
        breaker: 'closed',
        openForMs: null,
        error: null,
        inFlight: 0,
        queued: 0,
      },
    ]);
  });

  it('closes once', async () => {
    const { client } = await startInventory();
    expect(client.close(0)).toBe(client.close(0));
  });
});
