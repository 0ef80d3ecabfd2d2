import { describe, expect, it } from '@jest/globals';

import {
  CircuitBreaker,
  type BreakerPolicy,
  type Permit,
} from '../../../lib/fallback/circuit-breaker.js';
import { ManualClock } from '../../support/manual-clock.js';
import { WALL_TIME_STEPS } from '../../support/wall-time-steps.js';

const AWAY = new Error('the service is away');

const POLICY: BreakerPolicy = {
  calls: 10,
  minCalls: 4,
  failing: 0.5,
  slowCallMs: null,
  slow: 0.5,
  openMs: 1_000,
  maxOpenMs: 8_000,
  probes: 2,
  probeTimeoutMs: 500,
};

function start({ random = 0, ...given }: Partial<BreakerPolicy> & { random?: number } = {}) {
  const clock = new ManualClock();
  const moves: string[] = [];
  const breaker = new CircuitBreaker({ ...POLICY, ...given }, clock, () => random, {
    opened: (error, openMs) => moves.push(`open for ${String(openMs)}: ${error.message}`),
    halfOpened: () => moves.push('half-open'),
    closed: (openForMs) => moves.push(`closed after ${String(openForMs)}`),
  });
  return { clock, breaker, moves };
}

/** One that has just opened. */
function opened(policy: Parameters<typeof start>[0] = {}) {
  const started = start(policy);
  fail(started.breaker, 4);
  expect(started.breaker.state).toBe('open');
  return started;
}

function permitOf(breaker: CircuitBreaker): Permit {
  const permit = breaker.admit();
  if (permit === null) throw new Error('the breaker refused');
  return permit;
}

function succeed(breaker: CircuitBreaker, times = 1, durationMs = 1): void {
  for (let n = 0; n < times; n++) permitOf(breaker).succeeded(durationMs);
}

function fail(breaker: CircuitBreaker, times = 1): void {
  for (let n = 0; n < times; n++) permitOf(breaker).failed(AWAY);
}

describe('a closed breaker', () => {
  it('opens when more than such a share of the latest calls failed', () => {
    const { breaker, moves } = start();
    succeed(breaker, 3);
    fail(breaker, 3);
    expect(breaker.state).toBe('closed');

    fail(breaker);

    expect(breaker.state).toBe('open');
    expect(breaker.trouble).toMatchObject({ error: AWAY });
    expect(moves).toEqual(['open for 1000: the service is away']);
  });

  it('does not open at its first failure, nor before enough calls have ended', () => {
    const { breaker } = start();
    fail(breaker, 3);
    expect(breaker.state).toBe('closed');
    fail(breaker);
    expect(breaker.state).toBe('open');
  });

  it('forgets what lies further back than its window', () => {
    const { breaker } = start();
    succeed(breaker, 4);
    fail(breaker, 4);
    succeed(breaker, 10);
    fail(breaker, 5);
    expect(breaker.state).toBe('closed');
  });

  it('counts ended calls: those under way do not dilute an outage', () => {
    const { breaker } = start();
    for (let n = 0; n < 100; n++) permitOf(breaker);
    fail(breaker, 4);
    expect(breaker.state).toBe('open');
  });

  it('takes no notice of what says nothing of the service, neither for nor against it', () => {
    const { breaker } = start();
    for (let n = 0; n < 100; n++) permitOf(breaker).saidNothing();
    fail(breaker, 3);
    expect(breaker.state).toBe('closed');
    for (let n = 0; n < 100; n++) permitOf(breaker).saidNothing();
    fail(breaker);
    expect(breaker.state).toBe('open');
  });

  it('counts a call once, whatever is told of it later', () => {
    const { breaker } = start();
    const permit = permitOf(breaker);
    for (let n = 0; n < 10; n++) permit.failed(AWAY);
    expect(breaker.state).toBe('closed');
  });

  it('opens when more than such a share of calls was slow, although all succeed', () => {
    const { breaker, moves } = start({ slowCallMs: 300 });
    succeed(breaker, 3, 299);
    succeed(breaker, 3, 300);
    expect(breaker.state).toBe('closed');

    succeed(breaker, 1, 5_000);

    expect(breaker.state).toBe('open');
    expect(moves).toEqual(['open for 1000: it answers, but slowly: the latest call took 5000 ms']);
  });

  it('costs the same however many calls there were', () => {
    const { breaker } = start({ calls: 1_000, minCalls: 1_000 });
    const startedAt = performance.now();
    for (let n = 0; n < 200_000; n++) {
      const permit = permitOf(breaker);
      if (n % 3 === 0) permit.failed(AWAY);
      else permit.succeeded(n);
    }
    // A sort of the window at each failure takes minutes.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
    expect(breaker.state).toBe('closed');
  });
});

describe('an open breaker', () => {
  it('lets nothing through until its time is over, and has no timer for that', () => {
    const { clock, breaker } = opened();
    expect(breaker.admit()).toBeNull();
    expect(breaker.refusesForMs).toBe(1_000);
    clock.advance(999);
    expect(breaker.admit()).toBeNull();
    expect(breaker.refusesForMs).toBe(1);
    clock.advance(1);
    expect(clock.pending).toBe(0);
    expect(breaker.refusesForMs).toBeNull();
    expect(breaker.state).toBe('open');

    expect(breaker.admit()).toMatchObject({ isProbe: true });

    expect(breaker.state).toBe('half-open');
  });

  it.each(WALL_TIME_STEPS)('tries again on time where the time of day is set %s', (_, stepMs) => {
    const { clock, breaker, moves } = opened();
    clock.advance(500);
    clock.stepWallTime(stepMs);
    expect(breaker.refusesForMs).toBe(500);
    clock.advance(499);
    expect(breaker.admit()).toBeNull();
    clock.advance(1);

    succeed(breaker, 2);

    expect(moves.slice(1)).toEqual(['half-open', 'closed after 1000']);
  });

  it('takes no notice of calls that were let through before', () => {
    const { clock, breaker } = start();
    const [late, later] = [permitOf(breaker), permitOf(breaker)];
    fail(breaker, 4);
    late.succeeded(1);
    expect(breaker.state).toBe('open');
    clock.advance(1_000);
    const probe = permitOf(breaker);
    later.failed(AWAY);
    expect(breaker.state).toBe('half-open');
    probe.succeeded(1);
    succeed(breaker);
    expect(breaker.state).toBe('closed');
  });

  it('stays open longer each time a probe fails, up to a limit', () => {
    const { clock, breaker, moves } = opened();
    for (const openMs of [1_000, 2_000, 4_000, 8_000, 8_000]) {
      expect(breaker.refusesForMs).toBe(openMs);
      clock.advance(openMs);
      fail(breaker);
      expect(breaker.state).toBe('open');
    }
    expect(moves).toContain('open for 8000: the service is away');
  });

  it('stays open for a time that differs from process to process, by up to a half', () => {
    expect(opened({ random: 0.9999 }).breaker.refusesForMs).toBe(500);
    expect(opened({ random: 0.5 }).breaker.refusesForMs).toBe(750);
  });
});

describe('a half-open breaker', () => {
  /** One whose time to stay open is over. */
  function waited(policy: Parameters<typeof start>[0] = {}) {
    const { clock, breaker, moves } = opened(policy);
    clock.advance(1_000);
    return { clock, breaker, moves };
  }

  it('lets so many probes through at once, and no more', () => {
    const { breaker } = waited({ probes: 3 });
    for (let n = 0; n < 3; n++) expect(breaker.admit()).toMatchObject({ isProbe: true });
    expect(breaker.admit()).toBeNull();
    expect(breaker.refusesForMs).toBe(0);
  });

  it('closes when as many have succeeded as it lets through', () => {
    const { clock, breaker, moves } = waited();
    const [one, other] = [permitOf(breaker), permitOf(breaker)];
    one.succeeded(1);
    expect(breaker.state).toBe('half-open');
    expect(breaker.admit()).toBeNull();
    clock.advance(200);
    other.succeeded(1);
    expect(breaker.state).toBe('closed');
    expect(breaker.trouble).toBeNull();
    expect(moves.slice(1)).toEqual(['half-open', 'closed after 1200']);
  });

  it('begins anew when it closes: one failure does not open it again', () => {
    const { clock, breaker } = waited();
    succeed(breaker, 2);
    fail(breaker, 3);
    expect(breaker.state).toBe('closed');
    fail(breaker);
    // Its patience as well.
    expect(breaker.refusesForMs).toBe(1_000);
    clock.advance(1_000);
    expect(breaker.admit()).not.toBeNull();
  });

  it('opens at the first probe that fails', () => {
    const { breaker } = waited();
    const [one, other] = [permitOf(breaker), permitOf(breaker)];
    one.failed(AWAY);
    expect(breaker.state).toBe('open');
    other.succeeded(1);
    expect(breaker.state).toBe('open');
  });

  it('neither closes nor opens by a refusal: the next call probes', () => {
    const { breaker } = waited();
    for (let n = 0; n < 20; n++) permitOf(breaker).saidNothing();
    expect(breaker.state).toBe('half-open');
    succeed(breaker, 2);
    expect(breaker.state).toBe('closed');
  });

  it('is not held up by probes that hang: they have failed when their time is over', () => {
    const { clock, breaker, moves } = waited();
    const [hung] = [permitOf(breaker), permitOf(breaker)];
    clock.advance(499);
    expect(breaker.admit()).toBeNull();
    clock.advance(1);

    expect(breaker.admit()).toBeNull();
    expect(breaker.state).toBe('open');
    expect(moves.at(-1)).toBe('open for 2000: no answer to a probe within 500 ms');

    clock.advance(2_000);
    const next = permitOf(breaker);
    hung.succeeded(10_000);
    expect(breaker.state).toBe('half-open');
    next.succeeded(1);
    succeed(breaker);
    expect(breaker.state).toBe('closed');
  });

  it('opens when a probe succeeds slowly, where slowness counts', () => {
    const { breaker } = waited({ slowCallMs: 300 });
    succeed(breaker, 1, 300);
    expect(breaker.state).toBe('open');
  });
});
