import { describe, expect, it } from '@jest/globals';

import { InvalidOptionsError } from '../../../lib/kafka-events.errors.js';
import type { KafkaEventsOptions } from '../../../lib/kafka-events.options.js';
import { resolveOptions } from '../../../lib/resolve-options.js';
import { ScriptedTransport } from '../../support/sync-service.js';

const transport = new ScriptedTransport();
const service = { name: 'inventory' };

/** Of one service, as plain JavaScript may pass it. */
function settingsOf(given: unknown) {
  const options = { clientId: 'shop', brokers: ['kafka:9092'], sync: { services: [given] } };
  return resolveOptions(options as KafkaEventsOptions, { NODE_ENV: 'test' }, () => {
    throw new Error('nothing connects here');
  }).sync[0];
}

function problemsOf(given: unknown): string[] {
  try {
    settingsOf(given);
  } catch (error) {
    if (!(error instanceof InvalidOptionsError)) throw error;
    return error.problems.map(({ option, problem }) => `${option}: ${problem}`);
  }
  return [];
}

const ofMethod = (method: unknown) => ({ service, transport, methods: { getStock: method } });
const PATH = 'sync.services[0]';
const METHOD = `${PATH}.methods['getStock']`;

describe('options of a service', () => {
  it('have defaults', () => {
    expect(settingsOf({ service, transport })).toMatchObject({
      ...{ name: 'inventory', path: PATH, transport, hurryMs: 50 },
      breaker: { calls: 20, minCalls: 10, failing: 0.5, slowCallMs: null, openMs: 5_000 },
      bulkhead: { maxConcurrent: 32, maxQueued: 64 },
      retry: { attempts: 3, initialDelayMs: 50, budget: 0.2 },
      unnamed: { idempotent: false, deadlineMs: 1_000, fallbacks: [] },
    });
  });

  it('have what is not given follow what is', () => {
    expect(
      settingsOf({
        ...{ service, transport, deadlineMs: 300 },
        breaker: { calls: 5, openMs: 90_000 },
        methods: { getStock: { idempotent: true }, reserve: { deadlineMs: 50 } },
      }),
    ).toMatchObject({
      breaker: { calls: 5, minCalls: 5, openMs: 90_000, maxOpenMs: 90_000 },
      methods: new Map([
        ['getStock', { idempotent: true, deadlineMs: 300, fallbacks: [] }],
        ['reserve', { idempotent: false, deadlineMs: 50, fallbacks: [] }],
      ]),
    });
  });

  it('say all that is wrong with them at once, by name', () => {
    expect(
      problemsOf({
        ...{ service, transport: {}, deadlineMs: 0, hurryMs: -1 },
        breaker: { failing: 1, minCalls: 30, openMs: 1_000, maxOpenMs: 10, windowMs: 1 },
        bulkhead: { maxConcurrent: 0 },
        retry: { statuses: ['NOT_A_STATUS'], budget: 2 },
        failureStatuses: 'UNAVAILABLE',
      })
        .map((problem) => problem.replace(/: .*/, ''))
        .sort(),
    ).toEqual(
      [
        `${PATH}.transport`,
        `${PATH}.deadlineMs`,
        `${PATH}.breaker.failing`,
        `${PATH}.breaker.maxOpenMs`,
        `${PATH}.breaker.minCalls`,
        `${PATH}.breaker.windowMs`,
        `${PATH}.bulkhead.maxConcurrent`,
        `${PATH}.retry.budget`,
        `${PATH}.retry.statuses`,
        `${PATH}.failureStatuses`,
        `${PATH}.hurryMs`,
      ].sort(),
    );
  });

  it('need a service and a transport', () => {
    expect(problemsOf({})).toEqual([
      `${PATH}.service: is missing; make the entry with syncService(definition, { transport, … })`,
      `${PATH}.transport: is missing; make the entry with syncService(definition, { transport, … })`,
    ]);
    expect(problemsOf({ service: {}, transport })).toEqual([`${PATH}.service.name: is missing`]);
  });

  it('name each service once', () => {
    const options = {
      ...{ clientId: 'shop', brokers: ['kafka:9092'] },
      sync: {
        services: [
          { service, transport },
          { service, transport },
        ],
      },
    };
    expect(() =>
      resolveOptions(options, { NODE_ENV: 'test' }, () => {
        throw new Error();
      }),
    ).toThrow('sync.services[1].service: "inventory" is there twice');
  });
});

describe('options of a fallback', () => {
  it.each([
    [{ kind: 'cache' }, 'fallback[0].maxAgeMs: is missing'],
    [{ kind: 'cache', maxAgeMs: -1 }, 'fallback[0].maxAgeMs: must be an integer from 1'],
    [{ kind: 'cache', maxAgeMs: 1, maxEntries: 0 }, 'fallback[0].maxEntries: must be'],
    [{ kind: 'cache', maxAgeMs: 1, key: 'sku' }, 'fallback[0].key: must be a function'],
    [{ kind: 'cache', maxAgeMs: 1, read: () => null }, 'fallback[0].read: is not an option'],
    [{ kind: 'view' }, 'fallback[0].read: is missing'],
    [{ kind: 'view', read: 'table' }, 'fallback[0].read: must be a function'],
    [{ kind: 'default', reply: 0 }, 'fallback[0].reply: must be a function'],
    [{ kind: 'event', event: String, payload: () => 1 }, 'is not an event'],
    [{ kind: 'event', payload: () => 1 }, 'fallback[0].event: is missing'],
    [{ kind: 'guess' }, 'fallback[0].kind: must be one made by cachedReply'],
    [{}, 'fallback[0].kind: is missing'],
    ['cache', 'fallback[0]: must be an object'],
  ])('%o', (fallback, problem) => {
    const problems = problemsOf(ofMethod({ fallback: [fallback] }));
    expect(problems.join('\n')).toContain(problem);
    expect(problems[0]?.startsWith(METHOD)).toBe(true);
  });

  it('must be a list', () => {
    expect(problemsOf(ofMethod({ fallback: { kind: 'cache', maxAgeMs: 1 } }))).toEqual([
      `${METHOD}.fallback: must be a list of objects, got an object`,
    ]);
  });

  it('are refused where they could never be reached', () => {
    const reply = { kind: 'default', reply: () => 0 };
    const cache = { kind: 'cache', maxAgeMs: 1 };
    expect(problemsOf(ofMethod({ fallback: [reply, cache] }))).toEqual([
      `${METHOD}.fallback: has others behind a default reply, which are never tried`,
    ]);
    expect(problemsOf(ofMethod({ fallback: [cache, cache] }))).toEqual([
      `${METHOD}.fallback: has two caches; the second never knows more than the first`,
    ]);
    expect(problemsOf(ofMethod({ fallback: [cache, reply] }))).toEqual([]);
  });
});
