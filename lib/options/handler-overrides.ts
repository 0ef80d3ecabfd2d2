import type {
  EventHandlerOverrides,
  HandlerIdempotencyOptions,
} from '../consuming/handler-options.js';
import type { AdaptiveOptions } from '../consuming/adaptive-limit.js';
import type { RateOptions } from '../consuming/rate-limit.js';
import type { OutageOptions } from '../failure/outage-breaker.js';
import { DAY, DEFAULTS } from './defaults.js';
import { COUNT, DRAIN_MS, RETENTION_MS } from './option-ranges.js';
import { onlyGiven, type OptionSection } from './option-section.js';
import { readRetry, readRetryTopic } from './retry-options.js';

/** A timer runs for twice the timeout. */
const TIMEOUT_MS = { min: 1, max: DAY };

/** What was given of a handler's options, by its decorator or by the module. */
export function readHandler(section: OptionSection<EventHandlerOverrides>): EventHandlerOverrides {
  return onlyGiven({
    groupId: section.text('groupId'),
    concurrency: readConcurrency(section),
    ordering: section.oneOf('ordering', ['key', 'partition', 'none']),
    timeoutMs: section.integer('timeoutMs', TIMEOUT_MS),
    rate: readRate(section),
    retry: section.section('retry', readRetry),
    retryTopic: readRetryTopic(section),
    onDeadLetter: section.oneOf('onDeadLetter', ['continue', 'hold-key']),
    outage: readOutage(section),
    idempotency: readIdempotency(section),
    tombstones: section.boolean('tombstones'),
    acceptsDirect: section.boolean('acceptsDirect'),
    maxSize: section.integer('maxSize', COUNT),
    maxWaitMs: section.integer('maxWaitMs', DRAIN_MS),
  });
}

function readConcurrency(
  section: OptionSection<EventHandlerOverrides>,
): number | AdaptiveOptions | undefined {
  return section.isObject('concurrency')
    ? section.section('concurrency', readAdaptive)
    : section.integer('concurrency', COUNT);
}

function readAdaptive(section: OptionSection<AdaptiveOptions>): AdaptiveOptions {
  const max = section.integer('max', COUNT);
  if (!section.has('max')) section.refuse('max', 'is missing');
  const min = section.integer('min', COUNT);
  if (max !== undefined && (min ?? DEFAULTS.adaptive.min) > max) {
    section.refuse('min', `must not be above max, which is ${String(max)}`);
  }
  const tolerance = section.number('tolerance', { min: 1.1, max: 10 });
  return { max: max ?? 1, ...onlyGiven({ min, tolerance }) };
}

function readRate(section: OptionSection<EventHandlerOverrides>): RateOptions | false | undefined {
  if (section.isFalse('rate')) return false;
  return section.section('rate', readRateOptions, 'an object or false');
}

function readRateOptions(section: OptionSection<RateOptions>): RateOptions {
  const perSecond = section.number('perSecond', { min: 0.001, max: 1_000_000 });
  if (!section.has('perSecond')) section.refuse('perSecond', 'is missing');
  return { perSecond: perSecond ?? 1, ...onlyGiven({ burst: section.integer('burst', COUNT) }) };
}

export function readOutage(
  section: OptionSection<{ readonly outage?: OutageOptions | false }>,
): OutageOptions | false | undefined {
  if (section.isFalse('outage')) return false;
  return section.section('outage', readOutageOptions, 'an object or false');
}

function readOutageOptions(section: OptionSection<OutageOptions>): OutageOptions {
  return onlyGiven({
    records: section.integer('records', { min: 2, max: 10_000 }),
    failing: section.number('failing', { min: 0.01, max: 1 }),
    maxProbeDelayMs: section.integer('maxProbeDelayMs', { min: 100, max: DAY }),
  });
}

function readIdempotency(
  section: OptionSection<EventHandlerOverrides>,
): HandlerIdempotencyOptions | false | undefined {
  if (section.isFalse('idempotency')) return false;
  return section.section('idempotency', readDedup, 'an object or false');
}

function readDedup(section: OptionSection<HandlerIdempotencyOptions>): HandlerIdempotencyOptions {
  return onlyGiven({
    windowMs: section.integer('windowMs', RETENTION_MS),
    scope: section.oneOf('scope', ['event', 'partition']),
  });
}
