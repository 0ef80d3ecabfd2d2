import { describe, expect, it } from '@jest/globals';

import type { AdaptiveOptions } from '../../../lib/consuming/adaptive-limit.js';
import type {
  BatchOptions,
  EventHandlerOptions,
  HandlerKind,
} from '../../../lib/consuming/handler-options.js';
import type { RateOptions } from '../../../lib/consuming/rate-limit.js';
import { InvalidHandlerError } from '../../../lib/kafka-events.errors.js';
import type { KafkaEventsOptions } from '../../../lib/kafka-events.options.js';
import { resolveHandler } from '../../../lib/options/resolve-handler.js';
import { resolveOptions } from '../../../lib/resolve-options.js';

const ID = 'Shop.reserve';

function resolve(
  own: EventHandlerOptions & BatchOptions,
  options: KafkaEventsOptions = {},
  id = ID,
  kind: HandlerKind = 'record',
) {
  const settings = resolveOptions(
    { connect: false, consumer: { groupId: 'shop' }, ...options },
    {},
    () => {
      throw new Error('not used by this test');
    },
  );
  return resolveHandler(id, own, settings, kind);
}

function problemsOf(...args: Parameters<typeof resolve>): readonly string[] {
  try {
    resolve(...args);
  } catch (error) {
    if (error instanceof InvalidHandlerError) return error.problems;
    throw error;
  }
  return [];
}

describe('resolveHandler', () => {
  it('fills in the defaults', () => {
    expect(resolve({})).toEqual({
      id: ID,
      claimedAs: ID,
      aliases: [],
      groupId: 'shop',
      concurrency: 16,
      ordering: 'key',
      timeoutMs: 300_000,
      retry: { attempts: 5, initialDelayMs: 100, factor: 2, maxDelayMs: 30_000, jitter: 0.5 },
      retryTopic: null,
      onDeadLetter: 'continue',
      acceptsDirect: false,
      outage: { records: 20, failing: 0.5, maxProbeDelayMs: 30_000 },
      rate: null,
      idempotency: { windowMs: 1_800_000, scope: 'event' },
      tombstones: false,
      batch: null,
    });
  });

  it('has sizes for handlers of batches alone, and an order that they do not choose', () => {
    const handlers = { [ID]: { maxSize: 50 } };
    expect(resolve({}, {}, ID, 'batch').batch).toEqual({ maxSize: 500, maxWaitMs: 200 });
    expect(resolve({ maxWaitMs: 0 }, { handlers }, ID, 'batch').batch).toEqual({
      maxSize: 50,
      maxWaitMs: 0,
    });
    expect(problemsOf({ maxSize: 0 }, {}, ID, 'batch')).toEqual([
      'maxSize must be an integer from 1 to 1000000, got 0',
    ]);
    expect(problemsOf({}, { handlers })).toEqual([
      'maxSize is an option of @EventBatchHandler alone',
    ]);
    expect(problemsOf({ concurrency: { max: 4 } }, {}, ID, 'batch')).toEqual([
      'concurrency must be a number: how long a batch takes says more of its size than of the load',
    ]);
    expect(problemsOf({ ordering: 'none' }, {}, ID, 'batch')).toEqual([
      'ordering is no option of @EventBatchHandler: batches keep the order of each key',
    ]);
  });

  it('accepts direct delivery where its claims can tell the copy from Kafka', () => {
    const accepts = { acceptsDirect: true };
    expect(resolve(accepts).acceptsDirect).toBe(true);
    expect(resolve(accepts, { handlers: { [ID]: { acceptsDirect: false } } }).acceptsDirect).toBe(
      false,
    );
    expect(problemsOf({ ...accepts, idempotency: false })).toEqual([
      'acceptsDirect knows the copy from Kafka by its claim; do not switch idempotency off',
    ]);
    expect(problemsOf({ ...accepts, idempotency: { scope: 'partition' } })).toEqual([
      "acceptsDirect needs event ids that are unique by themselves, and idempotency.scope is 'partition'",
    ]);
    expect(problemsOf({ ...accepts, onDeadLetter: 'hold-key' })).toEqual([
      "acceptsDirect keeps no order, which onDeadLetter 'hold-key' is for",
    ]);
    expect(problemsOf({}, { handlers: { [ID]: accepts } }, ID, 'batch')).toEqual([
      'acceptsDirect is for handlers that take one record at a time',
    ]);
  });

  it('takes the defaults of the module first, then the decorator, then the override', () => {
    const settings = resolve(
      {
        concurrency: 2,
        ordering: 'none',
        groupId: 'own',
        retry: { attempts: 3, factor: 4 },
        idempotency: { scope: 'partition', windowMs: 7 },
      },
      {
        retry: { attempts: 9, jitter: 0, factor: 9 },
        tombstones: true,
        handlers: {
          [ID]: { concurrency: 1, retry: { attempts: 1 }, idempotency: { windowMs: 8 } },
        },
      },
    );
    expect(settings).toMatchObject({
      groupId: 'own',
      concurrency: 1,
      ordering: 'none',
      retry: { attempts: 1, factor: 4, jitter: 0, initialDelayMs: 100 },
      idempotency: { scope: 'partition', windowMs: 8 },
      tombstones: true,
    });
  });

  it('switches dedup off and on again', () => {
    const off = { [ID]: { idempotency: false as const } };
    const on = { [ID]: { idempotency: { scope: 'partition' as const } } };
    expect(resolve({ idempotency: false }).idempotency).toBeNull();
    expect(resolve({ idempotency: { windowMs: 5 } }, { handlers: off }).idempotency).toBeNull();
    expect(resolve({ idempotency: false }, { handlers: on }).idempotency).toEqual({
      windowMs: 1_800_000,
      scope: 'partition',
    });
  });

  it('has a concurrency that is a number or bounds, all of one place', () => {
    const bounds = { min: 2, max: 8, tolerance: 2 };
    const overridden = (override: EventHandlerOptions) =>
      resolve({ concurrency: bounds }, { handlers: { [ID]: override } }).concurrency;
    expect(resolve({ concurrency: { max: 8 } }).concurrency).toEqual({
      min: 1,
      max: 8,
      tolerance: 1.5,
    });
    expect(overridden({})).toEqual(bounds);
    expect(overridden({ concurrency: { max: 1 } })).toEqual({ min: 1, max: 1, tolerance: 1.5 });
    expect(overridden({ concurrency: 4 })).toBe(4);
    expect(problemsOf({ concurrency: { min: 9, max: 8, tolerance: 1 } })).toEqual([
      'concurrency.min must not be above max, which is 8',
      'concurrency.tolerance must be a number from 1.1 to 10, got 1',
    ]);
    expect(problemsOf({ concurrency: { min: 2 } as AdaptiveOptions })).toEqual([
      'concurrency.max is missing',
    ]);
    expect(problemsOf({ concurrency: [] as unknown as number })).toEqual([
      'concurrency must be an integer from 1 to 1000000, got a list',
    ]);
  });

  it('has a rate where decorator or override say so, the last of them', () => {
    const rate = { perSecond: 5 };
    expect(resolve({ rate }, {}).rate).toEqual({ perSecond: 5, burst: 1 });
    const overridden = (override: RateOptions | false) =>
      resolve({ rate: { perSecond: 5, burst: 3 } }, { handlers: { [ID]: { rate: override } } })
        .rate;
    expect(overridden({ perSecond: 9 })).toEqual({ perSecond: 9, burst: 3 });
    expect(overridden(false)).toBeNull();
    expect(problemsOf({ rate: { burst: 0 } as RateOptions })).toEqual([
      expect.stringContaining('rate.perSecond is missing'),
      expect.stringContaining('rate.burst must be'),
    ]);
  });

  it('takes no failure for an outage where module, decorator or override say so, the last of them', () => {
    const off = { [ID]: { outage: false as const } };
    const on = { [ID]: { outage: { failing: 1 } } };
    const defaults = { records: 20, failing: 0.5, maxProbeDelayMs: 30_000 };
    expect(resolve({}, { outage: false }).outage).toBeNull();
    expect(resolve({ outage: { records: 3 } }, { outage: false }).outage).toEqual({
      ...defaults,
      records: 3,
    });
    expect(resolve({ outage: { records: 3 } }, { handlers: off }).outage).toBeNull();
    expect(resolve({ outage: false }, { handlers: on }).outage).toEqual({
      ...defaults,
      failing: 1,
    });
    expect(resolve({}, { outage: { maxProbeDelayMs: 500 } }).outage).toEqual({
      ...defaults,
      maxProbeDelayMs: 500,
    });
  });

  it('has the rules for errors of module, decorator or override, the last of them', () => {
    const classify = () => undefined;
    const own = [{ when: TypeError, attempts: 2 }];
    const ofModule = [{ when: () => true, factor: 3 }];
    expect(resolve({}, { retry: { classify, schedules: ofModule } }).retry).toMatchObject({
      classify,
      schedules: ofModule,
      attempts: 5,
    });
    expect(
      resolve({ retry: { schedules: own } }, { retry: { schedules: ofModule } }).retry.schedules,
    ).toEqual(own);
  });

  it('refuses rules for errors that cannot be one', () => {
    const schedules = [{ when: 'TypeError', attempts: 0 }, { attempts: 2 }, 7];
    const own = { retry: { classify: 'retry', schedules } } as unknown as EventHandlerOptions;
    expect(problemsOf(own)).toEqual([
      'retry.classify must be a function, got a text',
      'retry.schedules[0].when must be a class of errors or a function, got a text',
      'retry.schedules[0].attempts must be an integer from 1 to 1000000, got 0',
      'retry.schedules[1].when is missing',
      'retry.schedules[2] must be an object, got a number',
    ]);
    const none = { retry: { schedules: {} } } as unknown as EventHandlerOptions;
    expect(problemsOf(none)).toEqual(['retry.schedules must be a list of objects, got an object']);
  });

  it('has a retry topic where module, decorator or override say so, the last of them', () => {
    const ofModule = { retryTopic: { delaysMs: [1_000] } };
    const own = { retryTopic: { delaysMs: [2_000] } };
    const off = { [ID]: { retryTopic: false as const } };
    expect(resolve({}, ofModule).retryTopic).toEqual({ delaysMs: [1_000] });
    expect(resolve(own, ofModule).retryTopic).toEqual({ delaysMs: [2_000] });
    expect(resolve({ retryTopic: false }, ofModule).retryTopic).toBeNull();
    expect(resolve(own, { handlers: off }).retryTopic).toBeNull();
    expect(resolve({}, { handlers: { [ID]: own } }).retryTopic).toEqual({ delaysMs: [2_000] });
  });

  it('refuses delays of a retry topic that cannot be waited for', () => {
    const day = 24 * 60 * 60_000;
    const problem =
      `retryTopic.delaysMs must be a list of at most 100 integers from 1 to ${String(day)}, ` +
      'got a list';
    for (const delaysMs of [[0], [day + 1], [1.5], ['60s'], Array.from({ length: 101 }, () => 1)]) {
      expect(problemsOf({ retryTopic: { delaysMs } } as EventHandlerOptions)).toEqual([problem]);
    }
    expect(problemsOf({ retryTopic: {} } as EventHandlerOptions)).toEqual([
      'retryTopic.delaysMs is missing',
    ]);
    expect(problemsOf({ retryTopic: true } as unknown as EventHandlerOptions)).toEqual([
      'retryTopic must be an object or false, got a boolean',
    ]);
    expect(() => resolve({}, { retryTopic: { delaysMs: [-1], maxWaitingRecords: 0 } })).toThrow(
      /retryTopic\.delaysMs: must be[^]*retryTopic\.maxWaitingRecords: must be/,
    );
  });

  it('holds keys only where there is order to keep, and claims to know the dead by', () => {
    const hold = { onDeadLetter: 'hold-key' } as const;
    expect(resolve(hold).onDeadLetter).toBe('hold-key');
    expect(resolve({}, { handlers: { [ID]: hold } }).onDeadLetter).toBe('hold-key');
    const ofModule = { retryTopic: { delaysMs: [1_000] } };
    expect(problemsOf(hold, ofModule)).toEqual([expect.stringContaining('set retryTopic: false')]);
    expect(problemsOf({ ...hold, retryTopic: false }, ofModule)).toEqual([]);
    expect(problemsOf(hold, {}, ID, 'batch')).toEqual([expect.stringContaining('batch handlers')]);
    expect(problemsOf({ ...hold, ordering: 'none', idempotency: false })).toEqual([
      expect.stringContaining("ordering is 'none'"),
      expect.stringContaining('idempotency'),
    ]);
  });

  it('applies the override of its own id alone', () => {
    const handlers = { 'Shop.bill': { concurrency: 1 } };
    expect(resolve({}, { handlers }).concurrency).toBe(16);
    expect(resolve({}, { handlers }, 'constructor').concurrency).toBe(16);
  });

  it('reports everything wrong with the decorator at once', () => {
    const own = { concurency: 3, timeoutMs: -1, retry: { attempts: 1.5 }, id: ' ' };
    expect(problemsOf(own as EventHandlerOptions, { consumer: {} })).toEqual([
      'id must not be empty',
      'timeoutMs must be an integer from 1 to 86400000, got -1',
      'retry.attempts must be an integer from 1 to 1000000, got 1.5',
      'concurency is not an option; did you mean concurrency?',
      'groupId is missing; set it, consumer.groupId of the module or KAFKA_GROUP_ID',
    ]);
  });

  it('claims under the oldest id a handler ever had', () => {
    expect(resolve({ aliases: ['Shop.first', 'Shop.second'] }).claimedAs).toBe('Shop.first');
  });

  it.each([
    [['Shop.old', ''], 'aliases must be a list of ids, none of them empty'],
    ['Shop.old', 'aliases must be a list of ids, none of them empty'],
    [['Shop.old', ID], `aliases names '${ID}', which is the id it has now`],
  ])('refuses the aliases %j', (aliases, problem) => {
    expect(problemsOf({ aliases } as EventHandlerOptions)).toEqual([problem]);
  });

  it('leaves the options alone', () => {
    const own = Object.freeze({ id: 'x', retry: Object.freeze({ attempts: 2 }) });
    expect(resolve(own).retry.attempts).toBe(2);
  });
});
