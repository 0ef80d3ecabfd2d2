import type { CrashLoopOptions } from '../failure/crash-loop.js';
import type { KafkaEventsOptions, KafkaEventsSettings } from '../kafka-events.options.js';
import { DEFAULTS } from './defaults.js';
import { onlyGiven, type OptionSection } from './option-section.js';

/** Deaths are slow to come by: nobody means more. */
const DEATHS = { min: 1, max: 100 };

export function readCrashLoop(
  root: OptionSection<KafkaEventsOptions>,
): KafkaEventsSettings['crashLoop'] {
  if (root.isFalse('crashLoop')) return null;
  const given = root.section('crashLoop', readPolicy, 'an object or false');
  return { ...DEFAULTS.crashLoop, ...given };
}

function readPolicy(section: OptionSection<CrashLoopOptions>): CrashLoopOptions {
  return onlyGiven({
    suspectAfter: section.integer('suspectAfter', DEATHS),
    deadLetterAfter: section.integer('deadLetterAfter', DEATHS),
  });
}
