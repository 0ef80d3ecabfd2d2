import { describe, expect, it } from '@jest/globals';

import { classifyFailure, type FailedAttempt } from '../../../lib/failure/classify-failure.js';
import { policyFor } from '../../../lib/failure/error-schedules.js';
import { DEFAULT_RETRY, type RetryOptions } from '../../../lib/failure/retry-policy.js';
import {
  DeadLetterRequestedError,
  NonRetryableEventError,
  RetryLaterError,
} from '../../../lib/kafka-events.errors.js';

class Busy extends Error {}
class VeryBusy extends Busy {}

const REF = {
  ...{ groupId: 'g', topic: 'orders', partition: 0, offset: 7n },
  ...{ handlerId: 'h', eventId: 'e1', eventType: 'order.created.v1' },
};

function classify(error: Error, retry: RetryOptions = {}, failed: Partial<FailedAttempt> = {}) {
  const reported: string[] = [];
  const note = ({ message }: Error): void => {
    reported.push(message);
  };
  const policy = policyFor({ ...DEFAULT_RETRY, jitter: 0, ...retry }, error, note);
  const verdict = classifyFailure({
    ...{
      error,
      policy,
      fault: 'body',
      attempts: 1,
      random: 0,
      delaysMs: null,
      level: 0,
      ref: REF,
      onClassifyError: note,
    },
    ...failed,
  });
  return { verdict, reported };
}

const dead = (reason: string) => ({ kind: 'dead-letter', reason });
const retry = (delayMs: number) => ({ kind: 'retry', delayMs });

describe('classify', () => {
  it('gives up what it calls dead, and is told what failed', () => {
    const asked: unknown[] = [];
    const { verdict } = classify(new Busy('no'), {
      classify: (error, failure) => {
        asked.push(error, failure);
        return 'dead-letter';
      },
    });
    expect(verdict).toEqual(dead('non-retryable'));
    expect(asked).toEqual([new Busy('no'), { ...REF, attempt: 1, fault: 'body' }]);
  });

  it('leaves to the engine what it says nothing of', () => {
    const silent = { classify: () => undefined };
    expect(classify(new Busy(), silent).verdict).toEqual(retry(100));
    expect(classify(new Busy(), silent, { fault: 'rejected-by-pipe' }).verdict).toEqual(
      dead('invalid'),
    );
    expect(classify(new Busy(), silent, { fault: 'rejected-by-guard' }).verdict).toEqual(
      dead('rejected-by-guard'),
    );
  });

  it('takes a refusal of guard or pipe for the world’s fault where it says so', () => {
    const mild = { classify: () => 'retry' as const };
    const refused = { fault: 'rejected-by-guard' as const };
    expect(classify(new Busy(), mild, refused).verdict).toEqual(retry(100));
    expect(classify(new Busy(), mild, { ...refused, attempts: 5 }).verdict).toEqual(
      dead('retries-exhausted'),
    );
  });

  it('is not asked where the handler itself has said what it wants', () => {
    const never = {
      classify: () => {
        throw new Error('asked');
      },
    };
    expect(classify(new NonRetryableEventError('no'), never)).toEqual({
      verdict: dead('non-retryable'),
      reported: [],
    });
    expect(classify(new DeadLetterRequestedError('no'), never)).toEqual({
      verdict: dead('handler-requested'),
      reported: [],
    });
    expect(classify(new RetryLaterError(5_000), never)).toEqual({
      verdict: retry(5_000),
      reported: [],
    });
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('classify broke');
      },
      /classify broke/,
    ],
    ['answers what it should not', () => 'perhaps', /must answer/],
    ['is async', () => Promise.resolve('dead-letter'), /at once/],
  ])('is reported when it %s, and counts as silent', (_, broken, report) => {
    const { verdict, reported } = classify(new Busy(), { classify: broken as never });
    expect(verdict).toEqual(retry(100));
    expect(reported).toEqual([expect.stringMatching(report)]);
  });
});

describe('schedules', () => {
  const schedules: RetryOptions['schedules'] = [
    { when: VeryBusy, attempts: 9, initialDelayMs: 7_000 },
    { when: Busy, initialDelayMs: 1_000 },
    { when: ({ message }) => message === 'once', attempts: 1 },
  ];

  it('are chosen by the first class or function that fits', () => {
    expect(classify(new VeryBusy(), { schedules }).verdict).toEqual(retry(7_000));
    expect(classify(new Busy(), { schedules }).verdict).toEqual(retry(1_000));
    expect(classify(new Error('once'), { schedules }).verdict).toEqual(dead('retries-exhausted'));
    expect(classify(new Error('other'), { schedules }).verdict).toEqual(retry(100));
  });

  it('count attempts in all, and take what they do not say from the handler', () => {
    const fifth = { attempts: 5 };
    expect(classify(new VeryBusy(), { schedules }, fifth).verdict).toEqual(retry(30_000));
    expect(classify(new Busy(), { schedules }, fifth).verdict).toEqual(dead('retries-exhausted'));
  });

  it('do not fit where their function throws, which is reported', () => {
    const when = (): boolean => {
      throw new Error('when broke');
    };
    const broken = [{ when, attempts: 1 }, ...schedules];
    expect(classify(new Busy(), { schedules: broken })).toEqual({
      verdict: retry(1_000),
      reported: ['when broke'],
    });
  });
});
