import { describe, expect, it } from '@jest/globals';

import { systemClock } from '../../lib/contracts/clock.js';
import { MemoryIdempotencyStore } from '../../lib/idempotency/memory-idempotency-store.js';
import { InvalidOptionsError } from '../../lib/kafka-events.errors.js';
import type { KafkaEventsOptions, KafkaEventsSettings } from '../../lib/kafka-events.options.js';
import type { KafkaDriver } from '../../lib/kafka/driver.js';
import { resolveOptions } from '../../lib/resolve-options.js';

const driver: KafkaDriver = { name: 'none', consumer: unused, producer: unused, admin: unused };
const defaultDriver = () => driver;
function unused(): never {
  throw new Error('not used by this test');
}

const TEST = { NODE_ENV: 'test' };
const GIVEN: KafkaEventsOptions = { clientId: 'shop', brokers: ['kafka:9092'] };
const SECRET = 'hunter2-the-password';

function resolve(options: KafkaEventsOptions = {}, env: NodeJS.ProcessEnv = {}) {
  return resolveOptions({ ...GIVEN, ...options }, { ...TEST, ...env }, defaultDriver);
}

/** Options as plain JavaScript may pass them. */
function problemsOf(options: unknown, env: NodeJS.ProcessEnv = TEST): string[] {
  try {
    resolveOptions(options as KafkaEventsOptions, env, defaultDriver);
  } catch (error) {
    if (!(error instanceof InvalidOptionsError)) throw error;
    expect(error.message + JSON.stringify(error.problems)).not.toContain(SECRET);
    for (const { option, problem } of error.problems)
      expect(error.message).toContain(`${option}: ${problem}`);
    return error.problems.map(({ option, problem }) => `${option}: ${problem}`);
  }
  return [];
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFreeze(part);
  }
  return value;
}

describe('resolveOptions fills in what is absent', () => {
  it('with the documented defaults', () => {
    const settings = resolve();
    expect(settings).toMatchObject({
      connection: {
        clientId: 'shop',
        brokers: ['kafka:9092'],
        ssl: false,
        sasl: null,
        connectionTimeoutMs: 5_000,
        requestTimeoutMs: 30_000,
        retries: 5,
        retryInitialDelayMs: 100,
        maxDecompressedBatchBytes: 67_108_864,
        patchKafkaJs: true,
      },
      consume: true,
      connect: true,
      onUnavailable: 'retry',
      topics: 'verify',
      createPartitions: 6,
      defaultGroupId: null,
      maxBufferedBytes: 67_108_864,
      producer: {
        maxRecordBytes: 1_048_576,
        deadlineMs: 30_000,
        maxBufferedEvents: 10_000,
        maxBufferedBytes: 33_554_432,
        onBufferFull: 'wait',
        maxBatchRecords: 500,
      },
      retry: { attempts: 5, initialDelayMs: 100, factor: 2, maxDelayMs: 30_000, jitter: 0.5 },
      idempotency: { windowMs: 1_800_000, onStoreError: 'pause' },
      deadLetter: { includeStack: false, onUndeliverable: 'hold' },
      globalEnhancers: false,
      missingId: 'derive',
      tombstones: false,
      shutdownDrainMs: 20_000,
      observers: [],
      driver: defaultDriver,
      clock: systemClock,
    } satisfies Partial<Record<keyof KafkaEventsSettings, unknown>>);
    expect(settings.group('any')).toEqual({
      groupId: 'any',
      sessionTimeoutMs: 30_000,
      rebalanceTimeoutMs: 60_000,
      heartbeatIntervalMs: 3_000,
      maxBytesPerPartition: 1_048_576,
      maxWaitTimeMs: 200,
      commitIntervalMs: 500,
      maxSpan: 10_000,
      maxConcurrency: Infinity,
      revokeDrainMs: 10_000,
      metadataMaxAgeMs: 30_000,
      stallAfterMs: 60_000,
    });
    expect(settings.topicName('orders')).toBe('orders');
    expect(settings.deadLetter.topicName('orders')).toBe('orders.dlq');
    expect(settings.deadLetter.redact(`password=${SECRET}`)).not.toContain(SECRET);
    expect(settings.idempotency.store).toBeInstanceOf(MemoryIdempotencyStore);
  });

  it('with what the environment says', () => {
    const env = {
      ...TEST,
      KAFKA_BROKERS: 'one:9092, two:9093,[::1]:9094,',
      KAFKA_CLIENT_ID: 'shop',
      KAFKA_GROUP_ID: 'shop-group',
      KAFKA_SSL: 'TRUE',
      KAFKA_SASL_MECHANISM: 'SCRAM-SHA-512',
      KAFKA_USER: 'me',
      KAFKA_PASS: ` ${SECRET}`,
    };
    const settings = resolveOptions({}, env, defaultDriver);
    expect(settings.connection).toMatchObject({
      clientId: 'shop',
      brokers: ['one:9092', 'two:9093', '[::1]:9094'],
      ssl: true,
      sasl: { mechanism: 'scram-sha-512', username: 'me', password: ` ${SECRET}` },
    });
    expect(settings.defaultGroupId).toBe('shop-group');
  });

  it('but lets explicit options win, even over an environment that is wrong', () => {
    const sasl = { mechanism: 'plain', username: 'you', password: 'other' } as const;
    const settings = resolve(
      { ssl: false, sasl, allowInsecure: true, consumer: { groupId: 'mine' } },
      {
        KAFKA_BROKERS: 'nonsense',
        KAFKA_CLIENT_ID: 'theirs',
        KAFKA_GROUP_ID: 'theirs',
        KAFKA_SSL: 'perhaps',
        KAFKA_SASL_MECHANISM: 'nonsense',
        KAFKA_PASS: SECRET,
      },
    );
    expect(settings.connection).toMatchObject({ ...GIVEN, ssl: false, sasl });
    expect(settings.defaultGroupId).toBe('mine');
  });

  it('taking empty variables for absent ones', () => {
    const env = { KAFKA_BROKERS: ' ', KAFKA_USER: '', KAFKA_PASS: '', KAFKA_SASL_MECHANISM: '' };
    expect(resolve({}, env).connection.sasl).toBeNull();
  });

  it('with shorter waits where the session is short, and a longer one where it is long', () => {
    const settings = resolve({
      consumer: { sessionTimeoutMs: 6_000 },
      groups: { slow: { sessionTimeoutMs: 90_000 } },
    });
    expect(settings.group('quick')).toMatchObject({
      sessionTimeoutMs: 6_000,
      heartbeatIntervalMs: 2_000,
      revokeDrainMs: 2_000,
      rebalanceTimeoutMs: 60_000,
    });
    expect(settings.group('slow')).toMatchObject({
      heartbeatIntervalMs: 3_000,
      revokeDrainMs: 10_000,
      rebalanceTimeoutMs: 90_000,
    });
  });

  it('for each group: its own options before those of all', () => {
    const settings = resolve({
      consumer: { maxSpan: 5, commitIntervalMs: 50 },
      groups: { reports: { maxSpan: 7 }, constructor: { maxSpan: 9 } },
    });
    expect(settings.group('reports')).toMatchObject({
      groupId: 'reports',
      maxSpan: 7,
      commitIntervalMs: 50,
    });
    expect(settings.group('constructor')).toMatchObject({ maxSpan: 9 });
    expect(settings.group('toString')).toMatchObject({ groupId: 'toString', maxSpan: 5 });
  });
});

describe('resolveOptions leaves the caller alone', () => {
  it('reads frozen options, and is not changed by what happens to them later', () => {
    const brokers = ['kafka:9092'];
    const override = { concurrency: 3, retry: { attempts: 2 } };
    const consumer = { groupId: 'shop', maxSpan: 5 };
    const settings = resolve({ brokers, consumer, handlers: { 'Shop.reserve': override } });
    brokers.push('nonsense');
    override.retry.attempts = 99;
    consumer.maxSpan = 99;
    expect(settings.connection.brokers).toEqual(['kafka:9092']);
    expect(settings.handlerOverrides).toMatchObject({
      'Shop.reserve': { concurrency: 3, retry: { attempts: 2 } },
    });
    expect(settings.group('shop').maxSpan).toBe(5);

    const frozen = deepFreeze<KafkaEventsOptions>({
      ...GIVEN,
      ssl: { servername: 'kafka' },
      sasl: { mechanism: 'plain', username: 'me', password: SECRET },
      consumer: { groupId: 'shop', sessionTimeoutMs: 9_000 },
      producer: { maxBatchRecords: 3 },
      retry: { attempts: 2 },
      idempotency: { store: 'memory', windowMs: 5 },
      deadLetter: { includeStack: true },
      handlers: { 'Shop.reserve': { idempotency: false } },
      groups: { shop: { maxSpan: 4 } },
      observers: [{}],
    });
    const before = JSON.stringify(frozen);
    expect(resolveOptions(frozen, deepFreeze({ ...TEST }), defaultDriver)).toMatchObject({
      producer: { maxBatchRecords: 3, deadlineMs: 30_000 },
      retry: { attempts: 2, factor: 2 },
      handlerOverrides: { 'Shop.reserve': { idempotency: false } },
    });
    expect(JSON.stringify(frozen)).toBe(before);
  });

  it('knows no overrides by the names that every object has', () => {
    expect(resolve({ handlers: {} }).handlerOverrides.constructor).toBeUndefined();
  });

  it('uses the store, driver and clock it is given', () => {
    const store = new MemoryIdempotencyStore();
    const own = () => driver;
    const clock = { ...systemClock };
    const settings = resolve({ idempotency: { store }, driver: own, clock });
    expect(settings.idempotency.store).toBe(store);
    expect(settings.driver).toBe(own);
    expect(settings.clock).toBe(clock);
  });
});

const SASL = { mechanism: 'plain', username: 'me', password: SECRET };
const HOST_PORT = 'must be host:port, for example kafka:9092 or [::1]:9092';
const TOGETHER = 'is missing; KAFKA_SASL_MECHANISM, KAFKA_USER and KAFKA_PASS go together';
const MECHANISMS = "must be one of 'plain', 'scram-sha-256', 'scram-sha-512'";
const NEEDS_TLS =
  'ssl: must be on where a password is sent; set ssl or KAFKA_SSL, or allowInsecure: true to send it unprotected';
const CHOOSE_STORE =
  "idempotency.store: must be chosen unless NODE_ENV is 'development' or 'test': 'memory' for a " +
  'service of one instance, a shared store for several';

const BAD: readonly {
  name: string;
  options: unknown;
  env?: NodeJS.ProcessEnv;
  problems: string[];
}[] = [
  {
    name: 'nothing at all, in production',
    options: {},
    env: {},
    problems: [
      'clientId: is missing; name the service, here or in KAFKA_CLIENT_ID',
      'brokers: is missing; list host:port, here or in KAFKA_BROKERS',
      CHOOSE_STORE,
    ],
  },
  {
    name: 'no object',
    options: 'kafka:9092',
    problems: [
      'options: must be an object, got a text',
      'clientId: is missing; name the service, here or in KAFKA_CLIENT_ID',
      'brokers: is missing; list host:port, here or in KAFKA_BROKERS',
    ],
  },
  {
    name: 'brokers that are no addresses',
    options: {
      clientId: 'shop',
      brokers: [
        'kafka',
        `kafka://me:${SECRET}@kafka:9092`,
        'kafka:0',
        'kafka:65536',
        '[::zz]:1',
        '::1:9092',
        7,
      ],
    },
    problems: [0, 1, 2, 3, 4, 5, 6].map((i) => `brokers[${i}]: ${HOST_PORT}`),
  },
  {
    name: 'wrong variables',
    options: { clientId: 'shop' },
    env: {
      ...TEST,
      KAFKA_BROKERS: 'kafka:9092,oops',
      KAFKA_SSL: 'yes',
      KAFKA_SASL_MECHANISM: SECRET,
    },
    problems: [
      "KAFKA_SSL: must be 'true' or 'false'",
      `KAFKA_SASL_MECHANISM: is not known; it ${MECHANISMS}`,
      `KAFKA_USER: ${TOGETHER}`,
      `KAFKA_PASS: ${TOGETHER}`,
      `KAFKA_BROKERS[1]: ${HOST_PORT}`,
    ],
  },
  {
    name: 'a password without user, mechanism or TLS',
    options: GIVEN,
    env: { ...TEST, KAFKA_PASS: SECRET },
    problems: [
      `KAFKA_SASL_MECHANISM: ${TOGETHER}; it ${MECHANISMS}`,
      `KAFKA_USER: ${TOGETHER}`,
      NEEDS_TLS,
    ],
  },
  {
    name: 'a user without a password, misspelt',
    options: { ...GIVEN, ssl: true, sasl: { mechanism: 'plain', username: 'me', pasword: SECRET } },
    problems: [
      'sasl.password: is missing',
      'sasl.pasword: is not an option; did you mean sasl.password?',
    ],
  },
  {
    name: 'secrets in the wrong places',
    options: {
      ...GIVEN,
      ssl: SECRET,
      sasl: { mechanism: SECRET, username: '', password: 12345 },
      onUnavailable: SECRET,
      retry: SECRET,
    },
    problems: [
      'ssl: must be true, false or TLS options, got a text',
      `sasl.mechanism: ${MECHANISMS}, got another text`,
      'sasl.username: must be a text that is not empty, got an empty text',
      'sasl.password: must be a text that is not empty, got a number',
      "onUnavailable: must be one of 'retry', 'fail', got another text",
      'retry: must be an object, got a text',
    ],
  },
  {
    name: 'a password in the open',
    options: { ...GIVEN, sasl: SASL },
    problems: [NEEDS_TLS],
  },
  {
    name: 'numbers out of range',
    options: {
      ...GIVEN,
      connectionTimeoutMs: 0,
      requestTimeoutMs: Number.POSITIVE_INFINITY,
      shutdownDrainMs: -1,
      createPartitions: 1.5,
      maxDecompressedBatchBytes: '64',
      producer: { maxRecordBytes: Number.NaN, deadlineMs: 2 ** 31 },
      retry: { attempts: 0, maxDelayMs: 30_001, jitter: 1.1, factor: 0.5 },
      idempotency: { windowMs: 0 },
    },
    problems: [
      'connectionTimeoutMs: must be an integer from 1 to 86400000, got 0',
      'requestTimeoutMs: must be an integer from 1 to 86400000, got Infinity',
      'maxDecompressedBatchBytes: must be an integer from 1 to 2147483647, got a text',
      'createPartitions: must be an integer from 1 to 1000000, got 1.5',
      'producer.maxRecordBytes: must be an integer from 1 to 2147483647, got NaN',
      'producer.deadlineMs: must be an integer from 1 to 86400000, got 2147483648',
      'retry.attempts: must be an integer from 1 to 1000000, got 0',
      'retry.factor: must be a number from 1 to 100, got 0.5',
      'retry.maxDelayMs: must be an integer from 0 to 30000, got 30001',
      'retry.jitter: must be a number from 0 to 1, got 1.1',
      'idempotency.windowMs: must be an integer from 1 to 31536000000, got 0',
      'shutdownDrainMs: must be an integer from 0 to 86400000, got -1',
    ],
  },
  {
    name: 'times that do not fit the session',
    options: {
      ...GIVEN,
      consumer: {
        sessionTimeoutMs: 9_000,
        heartbeatIntervalMs: 3_001,
        revokeDrainMs: 3_001,
        rebalanceTimeoutMs: 8_999,
      },
    },
    problems: [
      'consumer.heartbeatIntervalMs: must be at most a third of sessionTimeoutMs (9000), got 3001',
      'consumer.revokeDrainMs: must be at most a third of sessionTimeoutMs (9000), got 3001',
      'consumer.rebalanceTimeoutMs: must be at least sessionTimeoutMs (9000), got 8999',
    ],
  },
  {
    name: "a group's session that does not fit what it shares",
    options: {
      ...GIVEN,
      consumer: { heartbeatIntervalMs: 4_000 },
      groups: { reports: { sessionTimeoutMs: 6_000, groupId: 'x' }, other: 5 },
    },
    problems: [
      "groups['reports'].heartbeatIntervalMs: must be at most a third of sessionTimeoutMs (6000), got 4000",
      "groups['reports'].groupId: is not an option; there are sessionTimeoutMs, rebalanceTimeoutMs, " +
        'heartbeatIntervalMs, maxBytesPerPartition, maxWaitTimeMs, commitIntervalMs, maxSpan, maxConcurrency, revokeDrainMs, metadataMaxAgeMs, stallAfterMs',
      "groups['other']: must be an object, got a number",
    ],
  },
  {
    name: "a time that does not fit the session, once for all groups, beside the group's own",
    options: {
      ...GIVEN,
      consumer: { heartbeatIntervalMs: 20_000 },
      groups: { reports: { maxSpan: 0 } },
    },
    problems: [
      'consumer.heartbeatIntervalMs: must be at most a third of sessionTimeoutMs (30000), got 20000',
      "groups['reports'].maxSpan: must be an integer from 1 to 1000000, got 0",
    ],
  },
  {
    name: 'rules of a group, although something else is wrong with all',
    options: {
      ...GIVEN,
      consumer: { maxSpan: 0 },
      groups: { reports: { sessionTimeoutMs: 6_000, revokeDrainMs: 2_001 } },
    },
    problems: [
      'consumer.maxSpan: must be an integer from 1 to 1000000, got 0',
      "groups['reports'].revokeDrainMs: must be at most a third of sessionTimeoutMs (6000), got 2001",
    ],
  },
  {
    name: 'a wrong sasl, without a look at the environment',
    options: { ...GIVEN, ssl: true, sasl: SECRET },
    env: { ...TEST, KAFKA_USER: 'me' },
    problems: ['sasl: must be an object, got a text'],
  },
  {
    name: 'a buffer smaller than a record',
    options: { ...GIVEN, producer: { maxRecordBytes: 1_000, maxBufferedBytes: 999 } },
    problems: [
      'producer.maxBufferedBytes: must hold the largest record, maxRecordBytes (1000), got 999',
    ],
  },
  {
    name: 'misspelt names',
    options: {
      ...GIVEN,
      clientID: 'x',
      consumer: { sessionTimeout: 5 },
      deadletter: {},
      tombstone: true,
    },
    problems: [
      'consumer.sessionTimeout: is not an option; did you mean consumer.sessionTimeoutMs?',
      'clientID: is not an option; did you mean clientId?',
      'deadletter: is not an option; did you mean deadLetter?',
      'tombstone: is not an option; did you mean tombstones?',
    ],
  },
  {
    name: 'wrong overrides of handlers',
    options: {
      ...GIVEN,
      handlers: {
        'Shop.reserve': {
          id: 'x',
          concurrency: 0,
          ordering: 'keys',
          retry: { attempt: 3 },
          idempotency: true,
          timeoutMs: 0,
        },
        'Shop.bill': { idempotency: { scope: 'all', windowMs: -1 }, tombstones: 1, groupId: ' ' },
      },
    },
    problems: [
      "handlers['Shop.reserve'].concurrency: must be an integer from 1 to 1000000, got 0",
      "handlers['Shop.reserve'].ordering: must be one of 'key', 'partition', 'none', got another text",
      "handlers['Shop.reserve'].timeoutMs: must be an integer from 1 to 86400000, got 0",
      "handlers['Shop.reserve'].retry.attempt: is not an option; did you mean handlers['Shop.reserve'].retry.attempts?",
      "handlers['Shop.reserve'].idempotency: must be an object or false, got a boolean",
      "handlers['Shop.reserve'].id: is not an option; there are groupId, concurrency, ordering, timeoutMs, " +
        'rate, retry, retryTopic, onDeadLetter, outage, idempotency, tombstones, acceptsDirect, maxSize, maxWaitMs',
      "handlers['Shop.bill'].groupId: must be a text that is not empty, got an empty text",
      "handlers['Shop.bill'].idempotency.windowMs: must be an integer from 1 to 31536000000, got -1",
      "handlers['Shop.bill'].idempotency.scope: must be one of 'event', 'partition', got another text",
      "handlers['Shop.bill'].tombstones: must be true or false, got a number",
    ],
  },
  {
    name: 'a wrong door for direct delivery',
    options: { ...GIVEN, directDelivery: { transport: {}, maxInFlight: 257, remeberMs: 1 } },
    problems: [
      'directDelivery.transport: must be a transport such as eventDelivery({ … }), got an object',
      'directDelivery.maxInFlight: must be an integer from 1 to 256, got 257',
      'directDelivery.remeberMs: is not an option; did you mean directDelivery.rememberMs?',
    ],
  },
  {
    name: 'objects that lack what they need',
    options: {
      ...GIVEN,
      driver: 'kafkajs',
      clock: {},
      observers: [null],
      topicName: 'prefix',
      idempotency: { store: 'redis' },
      deadLetter: { redact: true, topicName: null },
      handlers: [],
      consume: 'yes',
    },
    problems: [
      'consume: must be true or false, got a text',
      'clock: must be a clock, got an object',
      'topicName: must be a function, got a text',
      "idempotency.store: must be 'memory' or an idempotency store, got a text",
      'deadLetter.topicName: must be a function, got null',
      'deadLetter.redact: must be a function, got a boolean',
      'handlers: must be an object, got a list',
      'observers: must be a list of objects, got a list',
      'driver: must be a function, got a text',
    ],
  },
  {
    name: 'handlers without a connection',
    options: { connect: false, consume: true },
    problems: ['consume: must not be true with connect: false; handlers need a connection'],
  },
];

describe('resolveOptions reports every problem at once, and no secret', () => {
  it.each(BAD)('$name', ({ options, env = TEST, problems }) => {
    expect(problemsOf(options, env).sort()).toEqual([...problems].sort());
  });
});

describe('resolveOptions asks for a store to be chosen', () => {
  it.each(['production', 'staging', undefined])('when handlers run and NODE_ENV is %p', (mode) => {
    const env = mode === undefined ? {} : { NODE_ENV: mode };
    expect(problemsOf(GIVEN, env)).toEqual([CHOOSE_STORE]);
    expect(problemsOf({ ...GIVEN, idempotency: { store: 'memory' } }, env)).toEqual([]);
    expect(problemsOf({ ...GIVEN, consume: false }, env)).toEqual([]);
    expect(problemsOf({ connect: false }, env)).toEqual([]);
  });

  it.each(['development', 'test'])('but not when NODE_ENV is %p', (mode) => {
    expect(problemsOf(GIVEN, { NODE_ENV: mode })).toEqual([]);
  });
});

describe('resolveOptions lets a password travel', () => {
  it.each([{ ssl: true }, { ssl: {} }, { allowInsecure: true }])('with %j', (protection) => {
    expect(problemsOf({ ...GIVEN, sasl: SASL, ...protection })).toEqual([]);
  });
});
