import {
  MAX_LANE_DELAY_MS,
  MAX_PARKED_MS,
  type ErrorSchedule,
  type RetryOptions,
  type RetrySchedule,
  type RetryTopicOptions,
} from '../failure/retry-policy.js';
import type { KafkaEventsSettings, RetryTopicsOptions } from '../kafka-events.options.js';
import { DEFAULTS } from './defaults.js';
import { COUNT, MEMORY_BYTES } from './option-ranges.js';
import { onlyGiven, type OptionSection } from './option-section.js';

const LANE_DELAY_MS = { min: 0, max: MAX_LANE_DELAY_MS };

export function readRetry(section: OptionSection<RetryOptions>): RetryOptions {
  return onlyGiven({
    ...readSchedule(section),
    classify: section.callback('classify'),
    schedules: section.list('schedules', readErrorSchedule),
  });
}

function readSchedule(section: OptionSection<RetrySchedule>): RetrySchedule {
  return onlyGiven({
    attempts: section.integer('attempts', COUNT),
    initialDelayMs: section.integer('initialDelayMs', LANE_DELAY_MS),
    factor: section.number('factor', { min: 1, max: 100 }),
    maxDelayMs: section.integer('maxDelayMs', LANE_DELAY_MS),
    jitter: section.number('jitter', { min: 0, max: 1 }),
  });
}

function readErrorSchedule(section: OptionSection<ErrorSchedule>): ErrorSchedule {
  const when = section.value(
    'when',
    'a class of errors or a function',
    (value) => typeof value === 'function',
  );
  if (section.isGiven && !section.has('when')) section.refuse('when', 'is missing');
  return {
    ...readSchedule(section),
    ...onlyGiven({ retryTopic: readRetryTopic(section) }),
    when: when ?? (() => false),
  };
}

/** Of a handler, or of one schedule. */
export function readRetryTopic(
  section: OptionSection<{ readonly retryTopic?: RetryTopicOptions | false }>,
): RetryTopicOptions | false | undefined {
  if (section.isFalse('retryTopic')) return false;
  return section.section('retryTopic', readDelays, 'an object or false');
}

function readDelays(section: OptionSection<RetryTopicOptions>): RetryTopicOptions {
  const delaysMs = section.value('delaysMs', DELAYS, isDelays);
  if (section.isGiven && !section.has('delaysMs')) section.refuse('delaysMs', 'is missing');
  return { delaysMs: [...(delaysMs ?? [])] };
}

/** Of the module. */
export function readRetryTopics(
  section: OptionSection<RetryTopicsOptions>,
): KafkaEventsSettings['retryTopic'] {
  const delaysMs = section.value('delaysMs', DELAYS, isDelays);
  return {
    ...DEFAULTS.retryTopic,
    ...onlyGiven({
      delaysMs: delaysMs && [...delaysMs],
      topicName: section.callback('topicName'),
      maxWaitingRecords: section.integer('maxWaitingRecords', COUNT),
      maxWaitingBytes: section.integer('maxWaitingBytes', MEMORY_BYTES),
    }),
  };
}

/** More would only be a mistake: the record waits for a day each time. */
const MAX_LEVELS = 100;
const DELAYS = `a list of at most ${String(MAX_LEVELS)} integers from 1 to ${String(MAX_PARKED_MS)}`;

function isDelays(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length <= MAX_LEVELS &&
    value.every((each) => Number.isSafeInteger(each) && each >= 1 && each <= MAX_PARKED_MS)
  );
}
