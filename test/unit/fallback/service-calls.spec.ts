import { describe, expect, it } from '@jest/globals';

import { readFrom, type ReadValue } from '../../../lib/fallback/fallback.js';
import {
  BreakerOpenError,
  BulkheadFullError,
  DeadlinePassedError,
  SyncCallError,
  type SyncStatus,
} from '../../../lib/kafka-events.errors.js';
import { settle } from '../../support/engine-events.js';
import { rejectionOf } from '../../support/thrown-by.js';
import {
  failing,
  hanging,
  startInventory,
  type InventoryOptions,
  type Stock,
  type StockRequest,
} from '../../support/sync-service.js';
import { WALL_TIME_STEPS } from '../../support/wall-time-steps.js';

const BREAKER = { calls: 4, minCalls: 2, failing: 0.5, openMs: 1_000, probes: 1 };
const REFUSALS = [
  ...(['INVALID_ARGUMENT', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED'] as const),
  ...(['FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNAUTHENTICATED'] as const),
  ...(['UNIMPLEMENTED', 'CANCELLED'] as const),
] satisfies SyncStatus[];
const FAILURES = [
  ...(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED'] as const),
  ...(['INTERNAL', 'UNKNOWN', 'DATA_LOSS'] as const),
] satisfies SyncStatus[];

/** What a call came to, as soon as it has. */
function watch(promise: Promise<unknown>): { outcome: unknown } {
  const watched: { outcome: unknown } = { outcome: 'pending' };
  promise.then(
    (value) => (watched.outcome = value),
    (error: unknown) => (watched.outcome = error),
  );
  return watched;
}

describe('a call', () => {
  it('is answered by the service', async () => {
    const { call, transport, signals, clock } = await startInventory();
    expect(await call()).toEqual({
      source: 'service',
      value: { available: 1 },
      ageMs: null,
      receipt: null,
      cause: null,
    });
    expect(transport.requests).toEqual([{ sku: 'a' }]);
    expect(signals).toEqual([
      ['syncCalled', { service: 'inventory', method: 'getStock', attempts: 1, durationMs: 0 }],
    ]);
    expect(clock.pending).toBe(0);
  });

  it.each(REFUSALS)('that is refused with %s is answered, too', async (status) => {
    const { call, transport, namesOf } = await startInventory(failing(status), {
      methods: { getStock: { idempotent: true } },
    });
    const error = await rejectionOf(call);
    expect(error).toBeInstanceOf(SyncCallError);
    expect(error).toMatchObject({ code: 'SYNC_CALL', service: 'inventory', method: 'getStock' });
    expect(error).toMatchObject({ status, origin: 'service' });
    expect(transport.attempts).toHaveLength(1);
    expect(namesOf()).toEqual(['syncCallFailed']);
  });

  it('that fails with what is no SyncCallError has an unknown status, and the cause', async () => {
    const cause = new TypeError('a defect of the transport');
    const { call } = await startInventory(() => {
      throw cause;
    });
    expect(await rejectionOf(call)).toMatchObject({ status: 'UNKNOWN', cause });
  });

  it('of a method that is not there is refused, with those that are', async () => {
    const { inventory, transport } = await startInventory();
    const error = await rejectionOf(() => inventory.call('getStok' as 'getStock', { sku: 'a' }));
    expect(error).toMatchObject({ status: 'UNIMPLEMENTED', origin: 'caller' });
    expect(error.message).toContain('there are getStock, reserve');
    expect(transport.attempts).toEqual([]);
  });
});

describe('a failure of a service', () => {
  it('says when its breaker lets it be tried again, once that is open', async () => {
    const { call, clock, transport } = await startInventory(failing('UNAVAILABLE'), {
      breaker: BREAKER,
    });
    expect(await rejectionOf(call)).toMatchObject({ retryInMs: null });
    expect(await rejectionOf(call)).toMatchObject({ code: 'SYNC_CALL', retryInMs: 1_000 });
    clock.advance(400);
    expect(await rejectionOf(call)).toMatchObject({ code: 'BREAKER_OPEN', retryInMs: 600 });
    clock.advance(600);
    expect(await rejectionOf(call)).toMatchObject({ code: 'SYNC_CALL', retryInMs: 2_000 });
    clock.advance(2_000);
    transport.next(failing('NOT_FOUND'));
    expect(await rejectionOf(call)).toMatchObject({ status: 'NOT_FOUND', retryInMs: null });
  });
});

describe('the deadline of a call', () => {
  const deadlineOf = async (
    options: Parameters<Awaited<ReturnType<typeof startInventory>>['call']>[0],
  ) => {
    const { call, transport, clock } = await startInventory(undefined, { deadlineMs: 500 });
    await call(options);
    return (transport.attempts[0]?.deadline ?? 0) - clock.wallTime().getTime();
  };

  it('is the earliest of the method, the call, and whoever called us', async () => {
    expect(await deadlineOf({})).toBe(500);
    expect(await deadlineOf({ deadlineMs: 200 })).toBe(200);
    expect(await deadlineOf({ deadlineMs: 2_000 })).toBe(500);
    const soon = Date.UTC(2025, 0, 1) + 100;
    expect(await deadlineOf({ deadlineMs: 200, deadline: soon })).toBe(100);
    expect(await deadlineOf({ deadline: new Date(soon) })).toBe(100);
    expect(await deadlineOf({ deadline: Number.POSITIVE_INFINITY })).toBe(500);
  });

  it('ends it, although the transport takes no notice', async () => {
    const { call, clock, transport } = await startInventory(hanging, { deadlineMs: 500 });
    const called = watch(call());
    await clock.advanceAsync(499);
    expect(called.outcome).toBe('pending');
    expect(transport.attempts[0]?.signal.aborted).toBe(false);
    await clock.advanceAsync(1);
    await settle();
    expect(called.outcome).toMatchObject({
      status: 'DEADLINE_EXCEEDED',
      origin: 'service',
      retryable: true,
    });
    expect(transport.attempts[0]?.signal.aborted).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('that has passed is an error of its own, without a call', async () => {
    const { call, transport, clock } = await startInventory(undefined, {
      methods: { getStock: { fallback: [{ kind: 'default', reply: () => ({ available: 0 }) }] } },
    });
    const error = await rejectionOf(() => call({ deadline: clock.wallTime().getTime() - 7 }));
    expect(error).toBeInstanceOf(DeadlinePassedError);
    expect(error).toMatchObject({ code: 'DEADLINE_PASSED', lateMs: 7, retryable: false });
    expect(await rejectionOf(() => call({ deadlineMs: 0 }))).toBeInstanceOf(DeadlinePassedError);
    expect(await rejectionOf(() => call({ deadline: new Date('no date') }))).toMatchObject({
      status: 'INVALID_ARGUMENT',
      origin: 'caller',
    });
    expect(transport.attempts).toEqual([]);
  });

  it.each(WALL_TIME_STEPS)(
    'ends it on time where the time of day is set %s, which the next call goes by',
    async (_, stepMs) => {
      const { call, clock, transport } = await startInventory(hanging, { deadlineMs: 500 });
      const called = watch(call({ deadline: clock.wallTime().getTime() + 300 }));
      clock.stepWallTime(stepMs);
      await clock.advanceAsync(299);
      expect(called.outcome).toBe('pending');
      await clock.advanceAsync(1);
      await settle();
      expect(called.outcome).toMatchObject({ status: 'DEADLINE_EXCEEDED' });

      const deadline = clock.wallTime().getTime() + 200;
      watch(call({ deadline }));
      await settle();
      expect(transport.attempts[1]?.deadline).toBe(deadline);
      await clock.advanceAsync(200);
      expect(transport.attempts[1]?.signal.aborted).toBe(true);
    },
  );

  it('ends only the call whose deadline it is', async () => {
    const { call, clock, transport } = await startInventory(hanging);
    const [short, long] = [watch(call({ deadlineMs: 10 })), watch(call({ deadlineMs: 20 }))];
    await clock.advanceAsync(10);
    await settle();
    expect(short.outcome).toBeInstanceOf(SyncCallError);
    expect(long.outcome).toBe('pending');
    expect(transport.attempts.map(({ signal }) => signal.aborted)).toEqual([true, false]);
  });
});

describe('a caller that gives up', () => {
  it('ends the call, whatever the transport does, and it is nobody else’s failure', async () => {
    const { call, transport, stateOf, namesOf } = await startInventory(hanging, {
      breaker: BREAKER,
      methods: { getStock: { fallback: [{ kind: 'default', reply: () => ({ available: 0 }) }] } },
    });
    for (let n = 0; n < 10; n++) {
      const caller = new AbortController();
      const called = rejectionOf(() => call({ signal: caller.signal }));
      await settle(2);
      caller.abort();
      expect(await called).toMatchObject({ status: 'CANCELLED', origin: 'caller' });
    }
    expect(transport.attempts.every(({ signal }) => signal.aborted)).toBe(true);
    expect(stateOf()).toBe('closed');
    expect(new Set(namesOf())).toEqual(new Set(['syncCallFailed']));
  });

  it('is not called for when it had gone before', async () => {
    const { call, transport } = await startInventory();
    expect(await rejectionOf(() => call({ signal: AbortSignal.abort() }))).toMatchObject({
      status: 'CANCELLED',
    });
    expect(transport.attempts).toEqual([]);
  });
});

describe('the breaker of a service', () => {
  /** Its breaker open after two failures. */
  async function sick(options: InventoryOptions = {}) {
    const started = await startInventory(failing('UNAVAILABLE'), { breaker: BREAKER, ...options });
    for (let n = 0; n < 2; n++) await rejectionOf(started.call);
    expect(started.stateOf()).toBe('open');
    return started;
  }

  it.each(FAILURES)('counts %s', async (status) => {
    const { call, stateOf } = await startInventory(failing(status), { breaker: BREAKER });
    for (let n = 0; n < 2; n++) await rejectionOf(call);
    expect(stateOf()).toBe('open');
  });

  it.each(REFUSALS)('neither opens nor closes by %s', async (status) => {
    const { call, stateOf, transport, clock } = await startInventory(failing('UNAVAILABLE'), {
      breaker: BREAKER,
    });
    transport.next(...Array.from({ length: 20 }, () => failing(status)));
    for (let n = 0; n < 20; n++) await rejectionOf(call);
    expect(stateOf()).toBe('closed');

    for (let n = 0; n < 2; n++) await rejectionOf(call);
    expect(stateOf()).toBe('open');
    clock.advance(1_000);
    transport.next(failing(status));
    expect(await rejectionOf(call)).toMatchObject({ status });
    expect(stateOf()).toBe('half-open');

    transport.next(() => ({ available: 1 }));
    expect(await call()).toMatchObject({ source: 'service' });
    expect(stateOf()).toBe('closed');
  });

  it('refuses while it is open, at once and by name, with what opened it', async () => {
    const { call, transport, clock } = await sick();
    clock.advance(400);
    const error = await rejectionOf(call);
    expect(error).toBeInstanceOf(BreakerOpenError);
    expect(error).toMatchObject({
      code: 'BREAKER_OPEN',
      origin: 'guard',
      retryInMs: 600,
      retryable: true,
    });
    expect(error.cause).toMatchObject({ status: 'UNAVAILABLE' });
    expect(transport.attempts).toHaveLength(2);
  });

  it('opens, probes on a new connection, and closes; each move is told', async () => {
    const { call, transport, clock, signals, stateOf } = await sick();
    clock.advance(1_000);
    transport.next(() => ({ available: 2 }));

    expect(await call()).toMatchObject({ value: { available: 2 } });

    expect(stateOf()).toBe('closed');
    expect(transport.renewals).toBe(1);
    expect(signals.filter(([name]) => name.startsWith('breaker'))).toMatchObject([
      ['breakerOpened', { service: 'inventory', openMs: 1_000, error: { status: 'UNAVAILABLE' } }],
      ['breakerHalfOpened', { service: 'inventory' }],
      ['breakerClosed', { service: 'inventory', openForMs: 1_000 }],
    ]);
  });

  it('does not count what the bulkhead refuses, or keeps until it is too late', async () => {
    const { call, clock, stateOf, inventory } = await startInventory(hanging, {
      breaker: BREAKER,
      bulkhead: { maxConcurrent: 1, maxQueued: 1 },
      deadlineMs: 10_000,
    });
    const first = watch(call());
    for (let round = 0; round < 10; round++) {
      const queued = watch(call({ deadlineMs: 100 }));
      await settle(1);
      const refused = await rejectionOf(() => inventory.call('reserve', { sku: 'a' }));
      expect(refused).toBeInstanceOf(BulkheadFullError);
      expect(refused).toMatchObject({ code: 'BULKHEAD_FULL', origin: 'guard' });
      await clock.advanceAsync(100);
      await settle(2);
      expect(queued.outcome).toMatchObject({ status: 'DEADLINE_EXCEEDED', origin: 'guard' });
    }
    expect(first.outcome).toBe('pending');
    expect(stateOf()).toBe('closed');
  });

  it('does not count callers in a hurry, and counts those that had time', async () => {
    const { call, clock, stateOf } = await startInventory(hanging, { breaker: BREAKER });
    for (let n = 0; n < 10; n++) {
      const called = watch(call({ deadlineMs: 49 }));
      await clock.advanceAsync(49);
      await settle(2);
      expect(called.outcome).toMatchObject({ status: 'DEADLINE_EXCEEDED' });
    }
    expect(stateOf()).toBe('closed');
    for (let n = 0; n < 2; n++) {
      void watch(call({ deadlineMs: 50 }));
      await clock.advanceAsync(50);
      await settle(2);
    }
    expect(stateOf()).toBe('open');
  });

  it('does not count what is wrong with the request', async () => {
    const { call, stateOf } = await startInventory(failing('INTERNAL', 'caller'), {
      breaker: BREAKER,
    });
    for (let n = 0; n < 10; n++) await rejectionOf(call);
    expect(stateOf()).toBe('closed');
  });

  it('is not held up by a probe that hangs', async () => {
    const { call, clock, transport, stateOf } = await sick({
      breaker: { ...BREAKER, probeTimeoutMs: 500 },
      deadlineMs: 60_000,
    });
    clock.advance(1_000);
    transport.next(hanging);
    const hung = watch(call());
    await settle(2);
    expect(await rejectionOf(call)).toBeInstanceOf(BreakerOpenError);
    clock.advance(500);
    expect(await rejectionOf(call)).toBeInstanceOf(BreakerOpenError);
    expect(stateOf()).toBe('open');
    clock.advance(2_000);
    transport.next(() => ({ available: 1 }));
    expect(await call()).toMatchObject({ source: 'service' });
    expect(stateOf()).toBe('closed');
    expect(hung.outcome).toBe('pending');
  });

  it('opens for a service that is slow, although it answers', async () => {
    const { call, clock, transport, stateOf } = await startInventory(undefined, {
      breaker: { ...BREAKER, slowCallMs: 300 },
    });
    const slowly = () =>
      new Promise((resolve) =>
        clock.setTimeout(() => {
          resolve({ available: 1 });
        }, 300),
      );
    transport.next(slowly, slowly);
    for (let n = 0; n < 2; n++) {
      const called = call();
      await clock.advanceAsync(300);
      expect(await called).toMatchObject({ source: 'service' });
    }
    expect(stateOf()).toBe('open');
  });

  it('does not let wait whom it would refuse', async () => {
    const { call, clock, transport } = await sick({
      bulkhead: { maxConcurrent: 1, maxQueued: 10 },
      deadlineMs: 60_000,
    });
    clock.advance(1_000);
    transport.next(hanging);
    const probe = watch(call());
    await settle(2);
    const refused = watch(call());
    await settle(2);
    expect(refused.outcome).toBeInstanceOf(BreakerOpenError);
    expect(probe.outcome).toBe('pending');
  });

  it('is asked again after the wait for a turn', async () => {
    const { call, transport, clock } = await startInventory(failing('UNAVAILABLE'), {
      breaker: BREAKER,
      bulkhead: { maxConcurrent: 1 },
      deadlineMs: 5_000,
    });
    const answer = () =>
      new Promise((_, reject) =>
        clock.setTimeout(() => {
          reject(new Error('down'));
        }, 10),
      );
    transport.next(answer, answer);
    const calls = [1, 2, 3, 4].map(() => rejectionOf(call));
    await clock.advanceAsync(10);
    await settle(2);
    await clock.advanceAsync(10);
    const errors = await Promise.all(calls);
    expect(errors.map((error) => error instanceof BreakerOpenError)).toEqual([
      ...[false, false],
      ...[true, true],
    ]);
  });
});

describe('retries', () => {
  const methods = { getStock: { idempotent: true } };
  const breaker = { calls: 100, minCalls: 100 };

  it('are for methods that are declared idempotent', async () => {
    const { inventory, transport, clock } = await startInventory(failing('UNAVAILABLE'), {
      methods,
    });
    const called = rejectionOf(() => inventory.call('reserve', { sku: 'a' }));
    await clock.advanceAsync(1_000);
    await called;
    expect(transport.attempts).toHaveLength(1);
  });

  it('repeat what may be repeated, with waits that grow', async () => {
    const { call, transport, clock, signals } = await startInventory(failing('UNAVAILABLE'), {
      ...{ methods, breaker },
      retry: { attempts: 4, initialDelayMs: 100, factor: 2 },
    });
    const called = watch(call());
    const after: number[] = [];
    for (let ms = 0; ms <= 700; ms += 50) {
      await settle(2);
      after.push(transport.attempts.length);
      await clock.advanceAsync(50);
    }
    await settle();
    // At 0, 100, 300 and 700 ms: random numbers of 0 take nothing off.
    expect(after).toEqual([1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 4]);
    expect(called.outcome).toMatchObject({ status: 'UNAVAILABLE', origin: 'service' });
    expect(signals).toMatchObject([['syncCallFailed', { attempts: 4, durationMs: 700 }]]);
  });

  it('wait for anything up to that, at random', async () => {
    const { call, transport, clock } = await startInventory(undefined, {
      ...{ methods, breaker, random: () => 0.75 },
      retry: { initialDelayMs: 100 },
    });
    transport.next(failing('UNAVAILABLE'));
    const called = call();
    await clock.advanceAsync(24);
    expect(transport.attempts).toHaveLength(1);
    await clock.advanceAsync(1);
    expect(await called).toMatchObject({ source: 'service' });
  });

  it.each(['DEADLINE_EXCEEDED', 'INTERNAL', 'NOT_FOUND'] as const)(
    'do not repeat %s unless told to',
    async (status) => {
      const { call, transport } = await startInventory(failing(status), {
        ...{ methods, breaker },
      });
      await rejectionOf(call);
      expect(transport.attempts).toHaveLength(1);

      const other = await startInventory(failing(status), {
        ...{ methods, breaker },
        retry: { statuses: [status], initialDelayMs: 0 },
      });
      const called = rejectionOf(other.call);
      await other.clock.advanceAsync(1);
      await called;
      expect(other.transport.attempts).toHaveLength(3);
    },
  );

  it('stay within the deadline: a wait beyond it is not begun', async () => {
    const { call, transport, clock } = await startInventory(failing('UNAVAILABLE'), {
      ...{ methods, breaker, deadlineMs: 250 },
      retry: { attempts: 10, initialDelayMs: 100, factor: 1 },
    });
    const called = watch(call());
    await clock.advanceAsync(200);
    await settle();
    expect(transport.attempts).toHaveLength(3);
    const inTime = clock.wallTime().getTime() + 50;
    expect(transport.attempts.every(({ deadline }) => deadline === inTime)).toBe(true);
    expect(called.outcome).toMatchObject({ status: 'UNAVAILABLE' });
    expect(clock.pending).toBe(0);
  });

  it('end with their caller', async () => {
    const { call, transport, clock } = await startInventory(failing('UNAVAILABLE'), {
      ...{ methods, breaker },
      retry: { initialDelayMs: 100 },
    });
    const caller = new AbortController();
    const called = rejectionOf(() => call({ signal: caller.signal }));
    await settle(2);
    caller.abort();
    expect(await called).toMatchObject({ status: 'CANCELLED', origin: 'caller' });
    expect(transport.attempts).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  it('are given up when the breaker opens', async () => {
    const { call, transport, clock, stateOf } = await startInventory(failing('UNAVAILABLE'), {
      ...{ methods, breaker: BREAKER },
      retry: { attempts: 10, initialDelayMs: 10, factor: 1 },
    });
    const called = rejectionOf(call);
    await clock.advanceAsync(100);
    expect(await called).toMatchObject({ status: 'UNAVAILABLE', origin: 'service' });
    expect(stateOf()).toBe('open');
    expect(transport.attempts).toHaveLength(2);
  });

  it('add no more than their budget to the load of a service in trouble', async () => {
    const { call, transport, clock } = await startInventory(failing('UNAVAILABLE'), {
      ...{ methods, breaker: { calls: 10_000, minCalls: 10_000 } },
      retry: { attempts: 3, initialDelayMs: 1, factor: 1, budget: 0.1 },
    });
    const calls = 500;
    for (let n = 0; n < calls; n++) {
      const called = rejectionOf(call);
      await clock.advanceAsync(2);
      await called;
    }
    // Ten are saved up at the start.
    expect(transport.attempts.length).toBeLessThanOrEqual(calls * 1.1 + 10);
    expect(transport.attempts.length).toBeGreaterThan(calls * 1.05);
  });
});

describe('what is sent along', () => {
  const event = {
    eventId: 'event-1',
    correlationId: 'order-7',
    headers: [
      ['traceparent', Buffer.from('00-aaaa-bbbb-01')],
      ['tracestate', Buffer.from('vendor=ü')],
      ['event-type', Buffer.from('order.created.v1')],
    ] as const,
  };

  it('is correlation id and trace of the event that is handled', async () => {
    const { call, transport } = await startInventory();
    await call({ event });
    expect(transport.attempts[0]?.metadata).toEqual({
      'correlation-id': 'order-7',
      traceparent: '00-aaaa-bbbb-01',
    });
  });

  it('is what the caller gives, over what the event says', async () => {
    const { call, transport } = await startInventory();
    await call({
      event: { ...event, correlationId: null },
      metadata: { traceparent: '00-cccc-dddd-01', tenant: 'a' },
    });
    await call({ event, correlationId: 'größe' });
    expect(transport.attempts.map(({ metadata }) => metadata)).toMatchObject([
      { 'correlation-id': 'event-1', traceparent: '00-cccc-dddd-01', tenant: 'a' },
      { 'correlation-id': 'gr%C3%B6%C3%9Fe' },
    ]);
  });

  it('ends with the event’s handler', async () => {
    const handler = new AbortController();
    const { call } = await startInventory(hanging);
    const called = rejectionOf(() => call({ event: { ...event, signal: handler.signal } }));
    await settle(2);
    handler.abort();
    expect(await called).toMatchObject({ status: 'CANCELLED' });
  });
});

describe('closing', () => {
  it('refuses new calls, lets those under way end, and closes the transport', async () => {
    const { call, client, transport, clock } = await startInventory();
    let answer = (_: unknown): void => undefined;
    transport.next(() => new Promise((resolve) => (answer = resolve)));
    const called = call();
    await settle(2);
    const closed = watch(client.close(1_000));
    expect(await rejectionOf(call)).toMatchObject({ status: 'CANCELLED', origin: 'caller' });
    expect(transport.closed).toBe(false);
    answer({ available: 3 });
    expect(await called).toMatchObject({ value: { available: 3 } });
    await settle();
    expect(closed.outcome).toBeUndefined();
    expect(transport.closed).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('ends what does not come back in time', async () => {
    const { call, client, transport, clock } = await startInventory(hanging, {
      deadlineMs: 60_000,
    });
    const called = rejectionOf(call);
    await settle(2);
    const closed = client.close(1_000);
    await clock.advanceAsync(1_000);
    await closed;
    expect(await called).toMatchObject({ status: 'CANCELLED', origin: 'caller' });
    expect(transport.closed).toBe(true);
    expect(clock.pending).toBe(0);
  });

  it('waits for what stands in for a service that has failed meanwhile', async () => {
    let knows = (_: ReadValue<Stock>): void => undefined;
    const view = readFrom<StockRequest, Stock>(() => new Promise((resolve) => (knows = resolve)));
    const { call, client, transport, clock } = await startInventory(hanging, {
      methods: { getStock: { fallback: [view] } },
    });
    let fail = (): void => undefined;
    transport.next(
      (attempt) =>
        new Promise((_, reject) => {
          fail = () => {
            reject(new SyncCallError(attempt, 'UNAVAILABLE', 'says the test'));
          };
        }),
    );
    const called = call();
    await settle(2);
    const closed = watch(client.close(1_000));
    fail();
    await settle();
    expect([closed.outcome, transport.closed]).toEqual(['pending', false]);
    knows({ value: { available: 3 }, ageMs: 10 });
    expect(await called).toMatchObject({ source: 'view', value: { available: 3 } });
    await settle();
    expect([closed.outcome, transport.closed]).toEqual([undefined, true]);
    expect(clock.pending).toBe(0);
  });

  it('lets nothing begin afterwards, whatever step a call is at when its time is up', async () => {
    for (let ticks = 0; ticks < 30; ticks++) {
      const late: unknown[] = [];
      const view = readFrom<StockRequest, Stock>(async () => {
        if (transport.closed) late.push(ticks);
        await settle(2);
        return null;
      });
      const { call, client, transport, clock } = await startInventory(failing('UNAVAILABLE'), {
        methods: { getStock: { fallback: [view] } },
      });
      const called = rejectionOf(call);
      const closing = client.close(1_000);
      for (let i = 0; i < ticks; i++) await Promise.resolve();
      clock.advance(1_000);
      await closing;
      expect(await called).toBeInstanceOf(SyncCallError);
      expect(late).toEqual([]);
    }
  });
});
