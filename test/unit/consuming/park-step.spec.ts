import { expect, it } from '@jest/globals';

import { ParkStep } from '../../../lib/consuming/park-step.js';
import { ManualClock } from '../../support/manual-clock.js';

it('knows by the time of day how long a parked record waits, rounded up', () => {
  const clock = new ManualClock();
  const options = { groupId: 'g', topicFor: () => 'retry', redact: (text: string) => text };
  const step = new ParkStep(options, () => Promise.resolve(), { emit: () => undefined }, clock);
  const now = clock.wallTime().getTime();
  expect([-5_000, 0, 1_000, 60_000].map((ms) => step.waitMs(now + ms))).toEqual([
    ...[1, 1, 1_024, 65_536],
  ]);
});
