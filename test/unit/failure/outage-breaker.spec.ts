import { describe, expect, it } from '@jest/globals';

import { OutageBreaker } from '../../../lib/failure/outage-breaker.js';
import { ManualClock } from '../../support/manual-clock.js';
import { WALL_TIME_STEPS } from '../../support/wall-time-steps.js';

const AWAY = new Error('the database is away');
const POLICY = { records: 4, failing: 0.5, maxProbeDelayMs: 5_000 };

const NEW = { asProbe: false, counts: true };
const PROBE = { asProbe: true, counts: false };

function start() {
  const clock = new ManualClock();
  return { clock, breaker: new OutageBreaker(POLICY, clock) };
}

/** One that has just opened. */
function opened() {
  const { clock, breaker } = start();
  for (let i = 0; i < POLICY.records; i++) breaker.failed(AWAY, NEW);
  return { clock, breaker };
}

describe('an outage breaker', () => {
  it('opens when such a share of the last records failed', () => {
    const { breaker } = start();
    breaker.succeeded();
    breaker.succeeded();
    expect(breaker.failed(AWAY, NEW)).toBe('attempt');
    expect(breaker.admit()).toBe('go');

    expect(breaker.failed(AWAY, NEW)).toBe('outage-begins');

    expect(breaker.outage).toMatchObject({ error: AWAY });
    expect(breaker.admit()).toBe('wait');
  });

  it('stays closed where less than that share fails, for as long as it likes', () => {
    const { breaker } = start();
    for (let i = 0; i < 100; i++) {
      expect(breaker.failed(AWAY, NEW)).toBe('attempt');
      for (let n = 0; n < 3; n++) expect(breaker.succeeded()).toBe(false);
    }
    expect(breaker.outage).toBeNull();
  });

  it('forgets what lies further back', () => {
    const { breaker } = start();
    breaker.failed(AWAY, NEW);
    for (let i = 0; i < POLICY.records; i++) breaker.succeeded();
    expect(breaker.failed(AWAY, NEW)).toBe('attempt');
  });

  it('counts a record once, however often it fails', () => {
    const { breaker } = start();
    breaker.failed(AWAY, NEW);
    for (let i = 0; i < 20; i++) {
      expect(breaker.failed(AWAY, { asProbe: false, counts: false })).toBe('attempt');
    }
    expect(breaker.failed(AWAY, NEW)).toBe('outage-begins');
  });

  it('lets one probe at a time, with growing delays up to the longest', () => {
    const { clock, breaker } = opened();
    for (const delayMs of [1_000, 2_000, 4_000, 5_000, 5_000]) {
      expect(breaker.waitMs).toBe(delayMs);
      clock.advance(delayMs - 1);
      expect(breaker.admit()).toBe('wait');
      clock.advance(1);
      expect(breaker.admit()).toBe('probe');
      expect(breaker.admit()).toBe('wait');
      expect(breaker.failed(AWAY, PROBE)).toBe('outage');
    }
  });

  it.each(WALL_TIME_STEPS)('probes on time where the time of day is set %s', (_, stepMs) => {
    const { clock, breaker } = opened();
    clock.advance(500);
    clock.stepWallTime(stepMs);
    expect(breaker.waitMs).toBe(500);
    clock.advance(499);
    expect(breaker.admit()).toBe('wait');
    clock.advance(1);
    expect(breaker.admit()).toBe('probe');
  });

  it('is not put off by failures of what ran before it opened', () => {
    const { clock, breaker } = opened();
    for (let i = 0; i < 10; i++) expect(breaker.failed(AWAY, NEW)).toBe('outage');
    clock.advance(1_000);
    expect(breaker.admit()).toBe('probe');
  });

  it('closes with the first success, whoever has it, wakes all, and begins anew', () => {
    const { clock, breaker } = opened();
    let woken = 0;
    breaker.onChange(() => woken++);
    const unsubscribe = breaker.onChange(() => woken++);
    unsubscribe();

    expect(breaker.succeeded()).toBe(true);

    expect(woken).toBe(1);
    expect(breaker.era).toBe(1);
    expect(breaker.admit()).toBe('go');
    expect(breaker.failed(AWAY, NEW)).toBe('attempt');
    expect(breaker.failed(AWAY, NEW)).toBe('outage-begins');
    clock.advance(1_000);
    expect(breaker.admit()).toBe('probe');
  });

  it('has another probe at once where one ended without an answer', () => {
    const { clock, breaker } = opened();
    clock.advance(1_000);
    breaker.admit();
    let woken = 0;
    breaker.onChange(() => woken++);

    breaker.probeGivenUp();

    expect(woken).toBe(1);
    expect(breaker.admit()).toBe('probe');
  });
});
