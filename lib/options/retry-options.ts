import {
  MAX_LANE_DELAY_MS,
  type ErrorSchedule,
  type RetryOptions,
  type RetrySchedule,
} from '../failure/retry-policy.js';
import { COUNT } from './option-ranges.js';
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
  return { ...readSchedule(section), when: when ?? (() => false) };
}
