import { describe, expect, it } from '@jest/globals';

import { DriverError, type DriverErrorKind } from '../../../../../lib/kafka-events.errors.js';
import { restartDelayMs } from '../../../../../lib/kafka/drivers/kafkajs/restart-delay.js';

const delaysAfter = (kind: DriverErrorKind) =>
  [0, 1, 2, 3, 4, 5, 50].map((restarts) => restartDelayMs(new DriverError(kind, ''), restarts));

describe('the delay before a consumer joins again', () => {
  it('stays short where the broker comes back by itself: nothing is consumed meanwhile', () => {
    expect(delaysAfter('retryable')).toEqual([1_000, 2_000, 4_000, 5_000, 5_000, 5_000, 5_000]);
    expect(delaysAfter('fenced')).toEqual(delaysAfter('retryable'));
  });

  it('grows longer where somebody has to help', () => {
    const delays = [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000];
    expect(delaysAfter('auth')).toEqual(delays);
    expect(delaysAfter('unknown-topic')).toEqual(delays);
  });
});
