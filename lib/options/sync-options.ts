import type { BreakerOptions, BreakerPolicy } from '../fallback/circuit-breaker.js';
import type { BulkheadOptions, BulkheadPolicy } from '../fallback/bulkhead.js';
import type {
  SyncMethodOptions,
  SyncMethodSettings,
  SyncRegistration,
  SyncRetryOptions,
  SyncRetryPolicy,
  SyncService,
  SyncServiceSettings,
} from '../fallback/sync-service.js';
import type { SyncTransport } from '../fallback/sync-transport.js';
import { SYNC_STATUSES, type SyncStatus } from '../kafka-events.errors.js';
import type { SyncOptions } from '../kafka-events.options.js';
import { DEFAULTS } from './defaults.js';
import { COUNT, DRAIN_MS, DURATION_MS } from './option-ranges.js';
import { hasMethods, onlyGiven, type OptionSection } from './option-section.js';
import { readFallbacks } from './fallback-options.js';

const { syncService: defaults } = DEFAULTS;

/** Above 0 and below 1: what is reached by any call, or by none, is no share. */
const SHARE = { min: 0.01, max: 0.99 };

/** Stands for one that is missing, which fails the boot. */
const NO_TRANSPORT: SyncTransport = {
  name: 'none',
  open: () => [],
  call: () => Promise.reject(new Error('there is no transport')),
  close: () => undefined,
};

/** The services that the application calls. */
export function readSync(section: OptionSection<SyncOptions>): readonly SyncServiceSettings[] {
  const services = section.list('services', readService) ?? [];
  const names = new Set<string>();
  for (const { name, path } of services) {
    if (names.has(name)) {
      section.problems.add(
        `${path}.service`,
        `"${name}" is there twice; each has a name of its own`,
      );
    }
    names.add(name);
  }
  return services;
}

function readService(section: OptionSection<SyncRegistration>): SyncServiceSettings {
  const transport = section.value('transport', 'a transport, such as grpc({ … })', (value) =>
    hasMethods(value, ['open', 'call', 'close']),
  );
  const service = section.section('service', readDefinition);
  for (const name of ['service', 'transport'] as const) {
    if (section.isGiven && !section.has(name)) {
      section.refuse(
        name,
        'is missing; make the entry with syncService(definition, { transport, … })',
      );
    }
  }
  const deadlineMs = section.integer('deadlineMs', DURATION_MS) ?? defaults.unnamed.deadlineMs;
  return {
    name: service ?? '',
    path: section.pathOf('').slice(0, -1),
    transport: transport ?? NO_TRANSPORT,
    breaker: section.section('breaker', readBreaker) ?? defaults.breaker,
    bulkhead: section.section('bulkhead', readBulkhead) ?? defaults.bulkhead,
    retry: section.section('retry', readRetry) ?? defaults.retry,
    failureStatuses: readStatuses(section, 'failureStatuses') ?? defaults.failureStatuses,
    hurryMs: section.integer('hurryMs', DRAIN_MS) ?? defaults.hurryMs,
    methods: section.record<SyncMethodOptions, SyncMethodSettings>('methods', (method) =>
      readMethod(method, deadlineMs),
    ),
    unnamed: { ...defaults.unnamed, deadlineMs },
  };
}

function readDefinition(section: OptionSection<SyncService<object>>): string | undefined {
  const name = section.text('name');
  if (section.isGiven && !section.has('name')) section.refuse('name', 'is missing');
  return name;
}

function readMethod(
  section: OptionSection<SyncMethodOptions>,
  deadlineMs: number,
): SyncMethodSettings {
  return {
    idempotent: section.boolean('idempotent') ?? defaults.unnamed.idempotent,
    deadlineMs: section.integer('deadlineMs', DURATION_MS) ?? deadlineMs,
    fallbacks: readFallbacks(section),
  };
}

function readBreaker(section: OptionSection<BreakerOptions>): BreakerPolicy {
  const calls = section.integer('calls', { min: 2, max: 10_000 }) ?? defaults.breaker.calls;
  const openMs = section.integer('openMs', DURATION_MS) ?? defaults.breaker.openMs;
  const policy = {
    ...defaults.breaker,
    // Those that are not given follow.
    minCalls: Math.min(defaults.breaker.minCalls, calls),
    maxOpenMs: Math.max(defaults.breaker.maxOpenMs, openMs),
    calls,
    openMs,
    ...onlyGiven({
      minCalls: section.integer('minCalls', { min: 1, max: 10_000 }),
      failing: section.number('failing', SHARE),
      slowCallMs: section.integer('slowCallMs', DURATION_MS),
      slow: section.number('slow', SHARE),
      maxOpenMs: section.integer('maxOpenMs', DURATION_MS),
      probes: section.integer('probes', { min: 1, max: 1_000 }),
      probeTimeoutMs: section.integer('probeTimeoutMs', DURATION_MS),
    }),
  };
  if (policy.minCalls > policy.calls) {
    section.refuse('minCalls', `must not be above calls, which is ${String(policy.calls)}`);
  }
  if (policy.maxOpenMs < policy.openMs) {
    section.refuse('maxOpenMs', `must not be below openMs, which is ${String(policy.openMs)}`);
  }
  return policy;
}

function readBulkhead(section: OptionSection<BulkheadOptions>): BulkheadPolicy {
  return {
    ...defaults.bulkhead,
    ...onlyGiven({
      maxConcurrent: section.integer('maxConcurrent', COUNT),
      maxQueued: section.integer('maxQueued', { ...COUNT, min: 0 }),
    }),
  };
}

function readRetry(section: OptionSection<SyncRetryOptions>): SyncRetryPolicy {
  return {
    ...defaults.retry,
    ...onlyGiven({
      attempts: section.integer('attempts', { min: 1, max: 100 }),
      initialDelayMs: section.integer('initialDelayMs', DRAIN_MS),
      factor: section.number('factor', { min: 1, max: 100 }),
      maxDelayMs: section.integer('maxDelayMs', DRAIN_MS),
      budget: section.number('budget', { min: 0, max: 1 }),
      statuses: readStatuses(section, 'statuses'),
    }),
  };
}

function readStatuses<N extends string>(
  section: OptionSection<Partial<Record<N, readonly SyncStatus[]>>>,
  name: N,
): ReadonlySet<SyncStatus> | undefined {
  const isStatus = (value: unknown) => SYNC_STATUSES.some((status) => status === value);
  const statuses = section.value(
    name,
    `a list of gRPC's status names: ${SYNC_STATUSES.join(', ')}`,
    (value) => Array.isArray(value) && value.every(isStatus),
  );
  return statuses && new Set<SyncStatus>(statuses);
}
