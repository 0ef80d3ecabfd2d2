import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { cachedReply, defaultReply } from '../../../lib/fallback/fallback.js';
import { toError, type SyncCallError } from '../../../lib/kafka-events.errors.js';
import { TestProcess } from '../../support/child-process.js';
import { eventually } from '../../support/eventually.js';
import { freePorts } from '../../support/free-ports.js';
import { InventoryServer, inventoryAt } from '../../support/grpc-inventory.js';
import { OneWayStreet } from '../../support/one-way-street.js';
import type { Remains } from './failing-calls.child.js';

const DEADLINE_MS = 1_000;
const BREAKER = { calls: 10, minCalls: 5, openMs: 400, maxOpenMs: 400, probes: 1 };

type Client = Awaited<ReturnType<typeof inventoryAt>>;

/** How long a call took, and what it came to: a status, or where its answer was from. */
async function timed(service: Client['service']): Promise<{ ms: number; came: string }> {
  const startedAt = performance.now();
  const came = await service.call('getStock', { sku: 'a' }).then(
    ({ source }) => source,
    (error: unknown) => (error as SyncCallError).code + ' ' + (error as SyncCallError).status,
  );
  return { ms: performance.now() - startedAt, came };
}

/** A call every few milliseconds, until stopped. */
function load(service: Client['service'], everyMs = 5) {
  const calls: { ms: number; came: string }[] = [];
  const underWay = new Set<Promise<void>>();
  const timer = setInterval(() => {
    const call = timed(service).then((timing) => {
      calls.push(timing);
      underWay.delete(call);
    });
    underWay.add(call);
  }, everyMs);
  return {
    calls,
    async stop() {
      clearInterval(timer);
      await Promise.all(underWay);
      return calls;
    },
  };
}

function longest(calls: readonly { readonly ms: number }[]): number {
  return Math.max(...calls.map(({ ms }) => ms));
}

function kinds(calls: readonly { readonly came: string }[]): Record<string, number> {
  const kinds: Record<string, number> = {};
  for (const { came } of calls) kinds[came] = (kinds[came] ?? 0) + 1;
  return kinds;
}

describe('a service that is sick', () => {
  const rejections: Error[] = [];
  const onRejection = (reason: unknown) => rejections.push(toError(reason));
  beforeEach(() => {
    process.on('unhandledRejection', onRejection);
  });
  afterEach(() => {
    process.off('unhandledRejection', onRejection);
    expect(rejections.splice(0)).toEqual([]);
  });

  it.each(['hang', 'slow 5000', 'fail UNAVAILABLE', 'flap', 'refuse'])(
    'keeps nobody beyond the deadline, and nobody from another service: %s',
    async (sickness) => {
      const well = await InventoryServer.start();
      const other = await inventoryAt(well.url, { name: 'other', deadlineMs: DEADLINE_MS });
      const sick = await InventoryServer.start();
      const { service, state, signals } = await inventoryAt(
        sickness === 'refuse' ? `127.0.0.1:${String((await freePorts(1))[0])}` : sick.url,
        { deadlineMs: DEADLINE_MS, breaker: BREAKER, methods: { getStock: { idempotent: true } } },
      );
      if (sickness !== 'refuse') {
        expect(await timed(service)).toMatchObject({ came: 'service' });
        await sick.behave(sickness);
      }
      await timed(other.service);
      // Ten per cent more, and what the machine itself was late by.
      const delay = monitorEventLoopDelay({ resolution: 5 });
      delay.enable();

      const [toSick, toOther] = [load(service), load(other.service)];
      await sleep(3 * DEADLINE_MS);
      const [ofSick, ofOther] = [await toSick.stop(), await toOther.stop()];

      delay.disable();
      const latestMs = DEADLINE_MS * 1.1 + delay.max / 1e6;

      expect(longest(ofSick)).toBeLessThan(latestMs);
      expect(kinds(ofOther)).toEqual({ service: ofOther.length });
      expect(longest(ofOther)).toBeLessThan(latestMs / 2);
      if (sickness === 'flap') return;
      expect(state()).not.toBe('closed');
      expect(signals).toContain('breakerOpened');
    },
  );

  it('is tried again, and called again when it is well', async () => {
    const server = await InventoryServer.start();
    const { service, state, signals } = await inventoryAt(server.url, {
      ...{ deadlineMs: DEADLINE_MS, breaker: BREAKER },
    });
    await server.behave('fail INTERNAL');
    for (let n = 0; n < 5; n++) {
      expect(await timed(service)).toMatchObject({ came: 'SYNC_CALL INTERNAL' });
    }
    expect(state()).toBe('open');
    const refused = await timed(service);
    expect(refused.came).toBe('BREAKER_OPEN UNAVAILABLE');
    expect(refused.ms).toBeLessThan(50);

    // Half-open, and open again.
    await eventually(async () => (await timed(service)).came === 'SYNC_CALL INTERNAL');
    expect(state()).toBe('open');
    // A refusal says nothing of its health.
    await server.behave('fail NOT_FOUND');
    await eventually(async () => (await timed(service)).came === 'SYNC_CALL NOT_FOUND');
    expect(state()).toBe('half-open');

    await server.behave('ok');
    expect(await timed(service)).toMatchObject({ came: 'service' });
    expect(state()).toBe('closed');
    expect(signals.filter((name) => name.startsWith('breaker'))).toEqual([
      ...['breakerOpened', 'breakerHalfOpened'],
      ...['breakerOpened', 'breakerHalfOpened', 'breakerClosed'],
    ]);
  });

  it('is called again soon after it was killed and started anew', async () => {
    const [port] = await freePorts(1);
    const server = await InventoryServer.start({ port });
    const { service, state } = await inventoryAt(server.url, {
      ...{ deadlineMs: DEADLINE_MS, breaker: BREAKER },
      methods: {
        getStock: { fallback: [cachedReply({ maxAgeMs: 60_000 }), defaultReply(() => never())] },
      },
    });
    expect(await timed(service)).toMatchObject({ came: 'service' });
    const calls = load(service, 20);
    let running = server;
    for (let round = 0; round < 2; round++) {
      await running.process.kill();
      await eventually(() => state() === 'open');
      running = await InventoryServer.start({ port });
      const startedAt = performance.now();
      await eventually(() => state() === 'closed');
      expect(performance.now() - startedAt).toBeLessThan(3_000);
    }
    const came = await calls.stop();
    expect(Object.keys(kinds(came)).sort()).toEqual(['cache', 'service']);
  });

  it('is called on a new connection when the old one has died without a word', async () => {
    const server = await InventoryServer.start();
    const street = await OneWayStreet.open(server.port);
    const { service, state } = await inventoryAt(`127.0.0.1:${String(street.port)}`, {
      ...{ deadlineMs: 300, breaker: BREAKER },
    });
    expect(await timed(service)).toMatchObject({ came: 'service' });
    street.swallowWhatIsConnected();
    await eventually(async () => {
      expect(await timed(service)).toMatchObject({ came: 'SYNC_CALL DEADLINE_EXCEEDED' });
      return state() === 'open';
    });
    await eventually(async () => (await timed(service)).came === 'service', { timeoutMs: 3_000 });
    expect(state()).toBe('closed');
    expect(street.connections).toBe(2);
  });

  it('costs no memory, no connections and no timers, over ten thousand failing calls', async () => {
    const server = await InventoryServer.start();
    await server.behave('fail UNAVAILABLE');
    const child = TestProcess.start('test/integration/grpc/failing-calls.child.ts', {
      args: [server.url, '10000'],
    });
    const told = async (when: string) => {
      const line = await child.waitForLine(when, 120_000);
      return JSON.parse(line.slice(when.length)) as Remains;
    };
    const [before, after] = [await told('before'), await told('after')];
    expect(after.sockets).toBeLessThanOrEqual(before.sockets);
    expect(after.timers).toBeLessThanOrEqual(before.timers);
    expect(after.heapMb - before.heapMb).toBeLessThan(3);
    expect(await child.waitForExit()).toBe(0);
    expect(child.errors).toEqual([]);
  }, 180_000);
});

function never(): never {
  throw new Error('there is a cached reply');
}
