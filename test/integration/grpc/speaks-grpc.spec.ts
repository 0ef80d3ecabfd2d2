import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';

import { grpc } from '../../../lib/grpc/index.js';
import { describeWithCommand } from '../../support/describe-with-command.js';
import { eventually } from '../../support/eventually.js';
import { onCleanup } from '../../support/cleanup.js';
import { InventoryServer, INVENTORY_PROTO, inventoryAt } from '../../support/grpc-inventory.js';
import { rejectionOf } from '../../support/thrown-by.js';
import { createTlsCertificates, type TlsCertificates } from '../../support/tls-certificates.js';

interface Seen {
  readonly metadata: Readonly<Record<string, string>>;
  readonly leftMs: number;
  readonly peer?: { readonly CN: string };
}

const CONTRACT = { protoPath: INVENTORY_PROTO, package: 'shop.inventory.v1', service: 'Inventory' };

describe('a gRPC service', () => {
  let server: InventoryServer;
  beforeAll(async () => {
    server = await InventoryServer.start();
  });

  it('gets request, deadline, correlation id and trace, and its reply is typed', async () => {
    const { service } = await inventoryAt(server.url);
    const { value, source } = await service.call(
      'getStock',
      { sku: 'a' },
      { deadlineMs: 800, correlationId: 'order-7', metadata: { traceparent: '00-aa-bb-01' } },
    );
    expect({ value, source }).toMatchObject({
      source: 'service',
      value: { sku: 'a', available: '7' },
    });
    const seen = JSON.parse(value?.seen ?? '') as Seen;
    expect(seen.metadata).toMatchObject({
      'correlation-id': 'order-7',
      traceparent: '00-aa-bb-01',
    });
    expect(seen.leftMs).toBeGreaterThan(300);
    expect(seen.leftMs).toBeLessThanOrEqual(810);
  });

  it('gets what the transport sends with each call, asked for each time', async () => {
    let token = 0;
    const { service } = await inventoryAt(server.url, {
      grpc: { metadata: () => ({ authorization: `token-${String(++token)}` }) },
    });
    for (const expected of ['token-1', 'token-2']) {
      const { value } = await service.call('getStock', { sku: 'a' });
      const seen = JSON.parse(value?.seen ?? '') as Seen;
      expect(seen.metadata.authorization).toBe(expected);
    }
  });

  it('is told when its caller gives up', async () => {
    await server.behave('hang');
    const { service, client } = await inventoryAt(server.url, { deadlineMs: 20_000 });
    const caller = new AbortController();
    const called = rejectionOf(() =>
      service.call('getStock', { sku: 'a' }, { signal: caller.signal }),
    );
    await eventually(() => client.health(String)[0]?.inFlight === 1);
    await server.process.waitForLine('called');
    caller.abort();
    expect(await called).toMatchObject({ status: 'CANCELLED', origin: 'caller' });
    await server.process.waitForLine('cancelled');
    await server.behave('ok');
  });

  it('answers calls under way on the connection they have, when the next takes a new one', async () => {
    await server.behave('slow 500');
    const transport = grpc({ ...CONTRACT, url: server.url });
    onCleanup(() => transport.close());
    await transport.open();
    const ask = (sku: string) =>
      transport.call(
        { sku },
        {
          ...{ service: 'inventory', method: 'getStock', metadata: {} },
          ...{ deadline: Date.now() + 5_000, signal: new AbortController().signal },
        },
      );
    const before = ask('before');
    await server.process.waitForLine('called');
    transport.renew?.();
    expect(await Promise.all([before, ask('after')])).toMatchObject([
      { sku: 'before' },
      { sku: 'after' },
    ]);
    await server.behave('ok');
  });

  it.each(['NOT_FOUND', 'UNAVAILABLE', 'UNAUTHENTICATED', 'CANCELLED'] as const)(
    'answers %s, which keeps its name and its details',
    async (status) => {
      await server.behave(`fail ${status}`);
      const { service } = await inventoryAt(server.url);
      const error = await rejectionOf(() => service.call('getStock', { sku: 'a' }));
      expect(error).toMatchObject({ code: 'SYNC_CALL', status, service: 'inventory' });
      expect(error.message).toContain('told to fail');
      expect(error.cause).toBeInstanceOf(Error);
      await server.behave('ok');
    },
  );
});

describe('bad input has an error by name:', () => {
  let server: InventoryServer;
  beforeAll(async () => {
    server = await InventoryServer.start();
  });

  const refusal = (given: Parameters<typeof grpc>[0]) =>
    rejectionOf(async () => grpc(given).open());
  const bootRefusal = async (options: Parameters<typeof inventoryAt>[1]) =>
    rejectionOf(() => inventoryAt('127.0.0.1:1', options));

  it('a method that the contract has not', async () => {
    const error = await bootRefusal({ methods: { getStok: {} } as object });
    expect(error).toMatchObject({
      code: 'INVALID_OPTIONS',
      problems: [
        {
          option: "sync.services[0].methods['getStok']",
          problem:
            'is not a method of gRPC shop.inventory.v1.Inventory at 127.0.0.1:1; did you mean getStock?',
        },
      ],
    });
  });

  it('a method that streams', async () => {
    const error = await bootRefusal({ methods: { watchStock: {} } as object });
    expect(error.message).toContain('is not a method of');
  });

  it.each([
    ['a contract that is not there', { protoPath: '/nowhere/inventory.proto' }, 'ENOENT'],
    ['a file that is no contract', { protoPath: import.meta.filename }, 'illegal token'],
    [
      'a service that the contract has not',
      { service: 'Inventry' },
      'there is no service "shop.inventory.v1.Inventry" in the contract; did you mean shop.inventory.v1.Inventory?',
    ],
    ['half a certificate', { tls: { cert: 'pem' } }, 'tls.cert and tls.key go together'],
  ])('%s', async (_, given, message) => {
    expect((await refusal({ ...CONTRACT, url: 'x:1', ...given })).message).toContain(message);
    const error = await bootRefusal({ grpc: given });
    expect(error).toMatchObject({
      code: 'INVALID_OPTIONS',
      problems: [{ option: 'sync.services[0].transport' }],
    });
    expect(error.message).toContain(message);
  });

  it('a request that does not fit the contract, which is not the service’s failure', async () => {
    const { service, state } = await inventoryAt(server.url, { breaker: { calls: 2 } });
    for (const request of [undefined, null, 'a']) {
      const error = await rejectionOf(() => service.call('getStock', request as never));
      expect(error).toMatchObject({ status: 'INVALID_ARGUMENT', origin: 'caller' });
      expect(error.message).toContain('does not fit the contract');
    }
    expect(state()).toBe('closed');
  });

  it('metadata that cannot be sent', async () => {
    const { service } = await inventoryAt(server.url);
    const error = await rejectionOf(() =>
      service.call('getStock', { sku: 'a' }, { metadata: { 'no name': 'x' } }),
    );
    expect(error).toMatchObject({ status: 'INVALID_ARGUMENT', origin: 'caller' });
    expect(error.message).toContain('"no name"');
  });

  it('a token that cannot be sent, without telling it', async () => {
    const { service } = await inventoryAt(server.url, {
      grpc: { metadata: () => ({ authorization: 'Bearer hunter2\n' }) },
    });
    const error = await rejectionOf(() => service.call('getStock', { sku: 'a' }));
    expect(error).toMatchObject({ status: 'INVALID_ARGUMENT', origin: 'caller' });
    expect(error.message).toContain('"authorization"');
    expect(inspect(error)).not.toContain('hunter2');
  });

  it('a request that is too large', async () => {
    const { service, state } = await inventoryAt(server.url, {
      grpc: { maxMessageBytes: 1_000 },
      breaker: { calls: 2 },
    });
    for (let n = 0; n < 4; n++) {
      const error = await rejectionOf(() =>
        service.call('getStock', { sku: 'a', padding: Buffer.alloc(1_001) }),
      );
      expect(error).toMatchObject({ code: 'MESSAGE_TOO_LARGE', origin: 'caller' });
      expect(error.message).toContain('maxMessageBytes is 1000');
    }
    expect(state()).toBe('closed');
  });

  it('a reply that is too large', async () => {
    const { service, state } = await inventoryAt(server.url, {
      grpc: { maxMessageBytes: 1_000 },
      breaker: { calls: 2 },
    });
    await server.behave('large 2000');
    for (let n = 0; n < 4; n++) {
      expect(await rejectionOf(() => service.call('getStock', { sku: 'a' }))).toMatchObject({
        code: 'MESSAGE_TOO_LARGE',
        status: 'RESOURCE_EXHAUSTED',
      });
    }
    expect(state()).toBe('closed');
    await server.behave('ok');
  });

  it('a deadline in the past', async () => {
    const { service } = await inventoryAt(server.url);
    expect(
      await rejectionOf(() => service.call('getStock', { sku: 'a' }, { deadline: Date.now() - 5 })),
    ).toMatchObject({ code: 'DEADLINE_PASSED', status: 'DEADLINE_EXCEEDED' });
  });
});

describeWithCommand(['openssl'], 'a gRPC service behind TLS', () => {
  let certificates: TlsCertificates;
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'grpc-tls-'));
    onCleanup(() => rm(directory, { recursive: true, force: true }));
    certificates = await createTlsCertificates(directory);
  });

  it('is called when its certificate is trusted, and else not', async () => {
    const server = await InventoryServer.start({ tls: [certificates.keyStore] });
    const { ca } = certificates;
    const trusting = await inventoryAt(`localhost:${String(server.port)}`, {
      grpc: { tls: { ca } },
      deadlineMs: 5_000,
    });
    expect(await trusting.service.call('getStock', { sku: 'a' })).toMatchObject({
      source: 'service',
    });
    for (const tls of [true, false, { ca, serverName: 'elsewhere' }]) {
      const { service } = await inventoryAt(`localhost:${String(server.port)}`, {
        grpc: { tls },
        deadlineMs: 5_000,
      });
      expect(await rejectionOf(() => service.call('getStock', { sku: 'a' }))).toMatchObject({
        status: 'UNAVAILABLE',
      });
    }
  });

  it('knows its caller by a certificate, and refuses who has none', async () => {
    const tls = [certificates.keyStore, join(directory, 'ca.pem')];
    const server = await InventoryServer.start({ tls });
    const { ca } = certificates;
    // Any certificate of that authority will do.
    const key = await readFile(certificates.keyStore);
    const cert = key;
    const known = await inventoryAt(`localhost:${String(server.port)}`, {
      ...{ grpc: { tls: { ca, key, cert } }, deadlineMs: 5_000 },
    });
    const { value } = await known.service.call('getStock', { sku: 'a' });
    expect((JSON.parse(value?.seen ?? '') as Seen).peer?.CN).toBe('localhost');

    const unknown = await inventoryAt(`localhost:${String(server.port)}`, {
      grpc: { tls: { ca } },
      deadlineMs: 5_000,
    });
    expect(await rejectionOf(() => unknown.service.call('getStock', { sku: 'a' }))).toMatchObject({
      status: 'UNAVAILABLE',
    });
  });
});
