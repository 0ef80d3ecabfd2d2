import { describe, expect, it } from '@jest/globals';

import { DriverError, ShutdownError, ViewBehindError } from '../../../lib/kafka-events.errors.js';
import type { ViewGenerations } from '../../../lib/views/view-generations.js';
import type { ViewPosition } from '../../../lib/views/view-store.js';
import { ViewProgress } from '../../../lib/views/view-progress.js';
import { untilReached } from '../../../lib/views/view-wait.js';
import { ViewWaits } from '../../../lib/views/view-waits.js';
import { settle } from '../../support/engine-events.js';
import { ManualClock } from '../../support/manual-clock.js';
import { rejectionOf } from '../../support/thrown-by.js';

const NEWEST = { topic: 'stock', partition: 0, offset: null };

type Look = () => Promise<readonly ViewPosition[]>;

/** A wait of five seconds for a view that has nothing yet. */
function waitFor(look: Look, target: { readonly offset: string | null } = NEWEST) {
  const clock = new ManualClock();
  const progress = new ViewProgress();
  const waits = new ViewWaits(() => undefined);
  progress.onMove(() => {
    waits.moved();
  });
  const aborting = new AbortController();
  const { signal } = aborting;
  const runner = { generations: { live: { progress } } as ViewGenerations, waits, look };
  let isOver = false;
  const waiting = untilReached([{ ...NEWEST, ...target }], {
    ...{ view: 'rows', runner, clock, timeoutMs: 5_000, signal },
  }).finally(() => {
    isOver = true;
  });
  // Whoever looks at it does so later.
  waiting.catch(() => undefined);
  return { clock, progress, waits, aborting, waiting, isOver: () => isOver };
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}

function endsAt(offset: bigint): Look {
  return () => Promise.resolve([{ topic: 'stock', partition: 0, offset }]);
}

describe('a wait for the end of a partition', () => {
  it('is over when the view has what the log had', async () => {
    const { progress, waiting, isOver } = waitFor(endsAt(3n));
    await settle();
    expect(isOver()).toBe(false);
    progress.learn([{ topic: 'stock', partition: 0, offset: 3n }]);
    await waiting;
  });

  it('is over at once when the log has nothing else', async () => {
    await waitFor(endsAt(0n)).waiting;
  });

  it('has no more time while the broker does not answer', async () => {
    const { clock, waiting } = waitFor(never);
    await clock.advanceAsync(5_000);
    expect(await rejectionOf(() => waiting)).toMatchObject({
      constructor: ViewBehindError,
      recordsBehind: null,
    });
  });

  it('ends with its signal, and with the application, while the broker does not answer', async () => {
    const [one, other] = [waitFor(never), waitFor(never)];
    one.aborting.abort(new Error('enough'));
    await expect(one.waiting).rejects.toThrow('enough');
    other.waits.end();
    await expect(other.waiting).rejects.toThrow(ShutdownError);
  });

  it('says what the broker says', async () => {
    const { waiting } = waitFor(() => Promise.reject(new DriverError('retryable', 'away')));
    await expect(waiting).rejects.toThrow('away');
  });

  it('looks again where the log did not show the partition, and takes it for no end', async () => {
    let looks = 0;
    const { clock, waiting, isOver } = waitFor(() =>
      ++looks < 3 ? Promise.resolve([]) : endsAt(0n)(),
    );
    await settle();
    expect(isOver()).toBe(false);
    await clock.advanceAsync(1_000);
    await clock.advanceAsync(1_000);
    await waiting;
    expect(looks).toBe(3);
  });

  it('looks no more when it is over', async () => {
    let looks = 0;
    const { clock, waiting, waits } = waitFor(() => {
      looks++;
      return Promise.resolve([]);
    });
    await settle();
    await clock.advanceAsync(5_000);
    await expect(waiting).rejects.toThrow(ViewBehindError);
    const before = looks;
    await clock.advanceAsync(10_000);
    expect([looks, waits.areHurried]).toEqual([before, false]);
  });
});

describe('a wait for an offset', () => {
  it('asks nobody where the log ends', async () => {
    const { progress, waiting } = waitFor(() => Promise.reject(new Error('asked')), {
      offset: '1',
    });
    progress.learn([{ topic: 'stock', partition: 0, offset: 2n }]);
    await waiting;
  });

  it('does not begin when it is aborted already', async () => {
    const reason = new Error('never mind');
    const waiting = untilReached([{ ...NEWEST, offset: '1' }], {
      view: 'rows',
      runner: waitForNothing(),
      clock: new ManualClock(),
      timeoutMs: 5_000,
      signal: AbortSignal.abort(reason),
    });
    await expect(waiting).rejects.toBe(reason);
  });
});

function waitForNothing() {
  const waits = new ViewWaits(() => undefined);
  return { generations: { live: null } as ViewGenerations, waits, look: never };
}
