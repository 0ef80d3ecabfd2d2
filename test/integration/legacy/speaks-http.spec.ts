import { inspect } from 'node:util';

import { beforeEach, describe, expect, it } from '@jest/globals';

import { httpJson, type HttpOptions } from '../../../lib/index.js';
import type { SyncAttempt } from '../../../lib/fallback/sync-transport.js';
import { freePorts } from '../../support/free-ports.js';
import { json, LegacyServer } from '../../support/legacy-server.js';
import { rejectionOf, thrownBy } from '../../support/thrown-by.js';

interface BillingApi {
  createInvoice(request: { orderId: string; cents: number }): Promise<{ number: string }>;
  findInvoice(request: { number: string }): Promise<{ number: string } | null>;
}

const METHODS: HttpOptions<BillingApi>['methods'] = {
  createInvoice: {
    verb: 'POST',
    path: '/invoices',
    body: ({ orderId, cents }) => ({ ref: orderId, amount: cents / 100 }),
    reply: (body) => ({ number: (body as { no: string }).no }),
  },
  findInvoice: { verb: 'GET', path: ({ number }) => `/invoices/${encodeURIComponent(number)}` },
};

describe('a service that speaks HTTP', () => {
  let server: LegacyServer;
  beforeEach(async () => {
    server = await LegacyServer.start();
  });

  async function call(
    method: keyof BillingApi,
    request: unknown,
    options: Partial<HttpOptions<BillingApi>> = {},
    attempt: Partial<SyncAttempt> = {},
  ): Promise<unknown> {
    const transport = httpJson<BillingApi>({ baseUrl: server.url, methods: METHODS, ...options });
    await transport.open();
    return transport.call(request, {
      ...{ service: 'billing', method, deadline: Date.now() + 5_000, metadata: {} },
      signal: new AbortController().signal,
      ...attempt,
    });
  }

  it('is told in its own words, and its answer is put into ours', async () => {
    server.answer(json(201, { no: 'R-1' }));
    const metadata = { 'correlation-id': 'order-7', 'idempotency-key': 'event-1' };
    const headers = () => ({ authorization: 'Bearer secret' });
    expect(
      await call('createInvoice', { orderId: '7', cents: 950 }, { headers }, { metadata }),
    ).toEqual({ number: 'R-1' });
    expect(server.requests).toMatchObject([
      {
        ...{ method: 'POST', url: '/invoices', body: '{"ref":"7","amount":9.5}' },
        headers: {
          ...{ 'content-type': 'application/json', authorization: 'Bearer secret' },
          ...metadata,
        },
      },
    ]);
  });

  it('is asked without a body, below a path, with what was asked for encoded', async () => {
    server.answer(json(200, null));
    const baseUrl = `${server.url}/api/`;
    expect(await call('findInvoice', { number: 'a/b' }, { baseUrl })).toBeNull();
    expect(server.requests).toMatchObject([
      { method: 'GET', url: '/api/invoices/a%2Fb', body: '' },
    ]);
  });

  it.each([
    [302, 'UNIMPLEMENTED'],
    [400, 'INVALID_ARGUMENT'],
    [401, 'UNAUTHENTICATED'],
    [403, 'PERMISSION_DENIED'],
    [404, 'NOT_FOUND'],
    [409, 'ALREADY_EXISTS'],
    [418, 'FAILED_PRECONDITION'],
    [422, 'INVALID_ARGUMENT'],
    [429, 'RESOURCE_EXHAUSTED'],
    [500, 'INTERNAL'],
    [503, 'UNAVAILABLE'],
    [504, 'DEADLINE_EXCEEDED'],
  ])('answers %d, which is %s', async (code, status) => {
    server.answer(json(code, { reason: 'because' }));
    const error = await rejectionOf(() => call('findInvoice', { number: '1' }));
    expect(error).toMatchObject({ code: 'SYNC_CALL', status, origin: 'service' });
    expect(error.message).toContain(`HTTP ${String(code)} {"reason":"because"}`);
  });

  it('is away, or hangs up half-way: unavailable, with the reason', async () => {
    const [port] = await freePorts(1);
    const baseUrl = `http://127.0.0.1:${String(port)}`;
    const away = await rejectionOf(() => call('findInvoice', { number: '1' }, { baseUrl }));
    expect(away).toMatchObject({ status: 'UNAVAILABLE', origin: 'service' });
    expect(away.message).toContain('ECONNREFUSED');

    server.answer((_, response) => {
      response.writeHead(200, { 'content-length': '100' });
      response.write('{"half":');
      setImmediate(() => response.destroy());
    });
    expect(await rejectionOf(() => call('findInvoice', { number: '1' }))).toMatchObject({
      status: 'UNAVAILABLE',
    });
  });

  it('answers what is no JSON, or not of its contract: a failure of its own', async () => {
    server.answer((_, response) => response.end('<html>'));
    expect(await rejectionOf(() => call('findInvoice', { number: '1' }))).toMatchObject({
      ...{ status: 'INTERNAL', origin: 'service' },
    });
    server.answer(json(200, null));
    const error = await rejectionOf(() => call('createInvoice', { orderId: '1', cents: 1 }));
    expect(error.message).toContain('does not fit the contract');
  });

  it('answers more than fits', async () => {
    server.answer(json(200, { padding: 'x'.repeat(2_000) }));
    expect(
      await rejectionOf(() => call('findInvoice', { number: '1' }, { maxReplyBytes: 1_000 })),
    ).toMatchObject({ code: 'MESSAGE_TOO_LARGE', origin: 'caller' });
  });

  it('is left alone when its caller gives up', async () => {
    const gone = new Promise((resolve) => {
      server.answer((_, response) => response.on('close', resolve));
    });
    const caller = new AbortController();
    const called = rejectionOf(() =>
      call('findInvoice', { number: '1' }, {}, { signal: caller.signal }),
    );
    setTimeout(() => {
      caller.abort();
    }, 50);
    await called;
    await gone;
  });

  it('is not asked what cannot be asked', async () => {
    const cyclic: Record<string, unknown> = {};
    cyclic.self = cyclic;
    const methods = { ...METHODS, createInvoice: { verb: 'POST', path: '/invoices' } as const };
    for (const attempt of [
      () => call('createInvoice', cyclic, { methods }),
      () => call('findInvoice', undefined),
      () => call('findInvoice', { number: '1' }, {}, { metadata: { 'no name': 'x' } }),
    ]) {
      expect(await rejectionOf(attempt)).toMatchObject({
        ...{ status: 'INVALID_ARGUMENT', origin: 'caller' },
      });
    }
    expect(server.requests).toEqual([]);
  });

  it('is not asked with a token that cannot be sent, which nobody is told', async () => {
    const headers = () => ({ authorization: 'Bearer hunter2\u2026' });
    const error = await rejectionOf(() => call('findInvoice', { number: '1' }, { headers }));
    expect(error).toMatchObject({ status: 'INVALID_ARGUMENT', origin: 'caller' });
    expect(error.message).toContain('"authorization"');
    expect(inspect(error)).not.toContain('hunter2');
    expect(server.requests).toEqual([]);
  });

  it('cannot be declared without an address, a verb and a path, nor with a password', () => {
    const open = (options: object) => () =>
      httpJson<BillingApi>({ baseUrl: server.url, methods: METHODS, ...options }).open();
    expect(open({ baseUrl: 'billing' })).toThrow('Invalid URL');
    expect(open({ baseUrl: 'ftp://billing' })).toThrow('must begin with http://');
    expect(open({ methods: { createInvoice: { verb: 'POST' } } })).toThrow(
      'methods.createInvoice needs a verb and a path',
    );
    const secret = httpJson<BillingApi>({ baseUrl: 'http://me:hunter2@x/', methods: METHODS });
    expect(secret.name).toBe('HTTP at x');
    const refused = thrownBy(() => secret.open());
    expect(refused.message).toContain('no user and no password');
    expect(inspect(refused)).not.toContain('hunter2');
  });
});
