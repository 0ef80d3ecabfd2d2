import { describe, expect, it } from '@jest/globals';
import { KafkaEventsHealth } from '../../../lib/observability/health.js';
import type {
  GroupHealth,
  HealthFacts,
  ViewHealth,
} from '../../../lib/observability/health-report.js';
import { ManualClock } from '../../support/manual-clock.js';
import { rejectionOf } from '../../support/thrown-by.js';

const NOTHING: HealthFacts['parts'] = {
  ...{ groups: [], stalled: [], views: [], sync: [], feeds: [], outbox: null },
  publisher: { bufferedEvents: 0, bufferedBytes: 0, lastError: null },
  bufferedBytes: 0,
  counts: { observerErrors: 0 },
};

const GROUP: GroupHealth = {
  ...{ groupId: 'shop', state: 'running', error: null, failedCommits: 0, handlers: [] },
  ...{ outages: [], unavailableTopics: [], heldKeys: [], paused: [], partitions: [] },
};

const VIEW: ViewHealth = {
  ...{ view: 'stock', version: 1, state: 'live', groupIds: [] },
  ...{ recordsBehind: 0, ageMs: 0, problem: null },
};

/** Health over facts that a test changes. */
function start() {
  const clock = new ManualClock();
  const facts: { -readonly [Fact in keyof HealthFacts]: HealthFacts[Fact] } = {
    ...{ parts: NOTHING, startProblem: null, suspect: null, stopping: false },
  };
  return { clock, facts, health: new KafkaEventsHealth(clock, () => facts) };
}

describe('whoever waits until a process is ready', () => {
  it('goes on at once where it is', async () => {
    const { clock, facts, health } = start();
    facts.parts = { ...NOTHING, groups: [GROUP], views: [VIEW] };
    await health.whenReady();
    expect(clock.pending).toBe(0);
  });

  it('goes on when the groups are joined and the views can be read', async () => {
    const { clock, facts, health } = start();
    facts.startProblem = 'the application has not booted yet';
    let isReady = false;
    const waiting = health.whenReady().then(() => {
      isReady = true;
    });
    await clock.advanceAsync(5_000);
    facts.startProblem = null;
    facts.parts = { ...NOTHING, groups: [{ ...GROUP, state: 'joining' }] };
    await clock.advanceAsync(5_000);
    facts.parts = { ...NOTHING, groups: [GROUP], views: [{ ...VIEW, state: 'building' }] };
    await clock.advanceAsync(5_000);
    expect(isReady).toBe(false);
    facts.parts = { ...NOTHING, groups: [GROUP], views: [VIEW] };
    await clock.advanceAsync(50);
    await waiting;
    expect(clock.pending).toBe(0);
  });

  it('is told what is missing, and nothing else, when the time is up', async () => {
    const { clock, facts, health } = start();
    const building = {
      ...VIEW,
      state: 'building' as const,
      groupIds: ['stock-a'],
      recordsBehind: 7,
    };
    facts.parts = {
      ...NOTHING,
      groups: [
        { ...GROUP, state: 'joining', error: 'the broker is away' },
        { ...GROUP, groupId: 'audit', failedCommits: 5 },
        { ...GROUP, groupId: 'stock-a', state: 'rebalancing' },
      ],
      views: [building, { ...VIEW, view: 'prices', problem: 'its store is away' }],
    };
    const waiting = rejectionOf(() => health.whenReady({ timeoutMs: 1_000 }));
    await clock.advanceAsync(1_000);
    const missing = [
      'group "shop" is joining: the broker is away',
      'view "stock" is being built, 7 record(s) to go',
    ];
    const error = await waiting;
    expect(error).toMatchObject({ name: 'NotReadyError', code: 'NOT_READY', missing });
    expect(error.message).toBe(`not ready after 1000 ms:\n  - ${missing.join('\n  - ')}`);
    expect(clock.pending).toBe(0);
  });

  it('waits no longer when the application shuts down', async () => {
    const { clock, facts, health } = start();
    facts.startProblem = 'the broker is away';
    const waiting = rejectionOf(() => health.whenReady());
    await clock.advanceAsync(1_000);
    facts.stopping = true;
    await clock.advanceAsync(50);
    expect(await waiting).toMatchObject({
      missing: ['consumers not started: the broker is away', 'the application is shutting down'],
    });
  });

  it('waits no longer than the signal lets it', async () => {
    const { clock, facts, health } = start();
    facts.startProblem = 'the broker is away';
    const reason = new Error('enough');
    const patience = new AbortController();
    const waiting = rejectionOf(() => health.whenReady({ signal: patience.signal }));
    await clock.advanceAsync(100);
    patience.abort(reason);
    expect(await waiting).toBe(reason);
    expect(clock.pending).toBe(0);
    expect(await rejectionOf(() => health.whenReady({ signal: patience.signal }))).toBe(reason);
  });
});
