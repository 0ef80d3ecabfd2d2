import type { DeadLetterOptions, DeadLetterSettings } from '../kafka-events.options.js';
import { DEFAULTS } from './defaults.js';
import { onlyGiven, type OptionSection } from './option-section.js';

export function readDeadLetter(section: OptionSection<DeadLetterOptions>): DeadLetterSettings {
  return {
    ...DEFAULTS.deadLetter,
    ...onlyGiven({
      topicName: section.callback('topicName'),
      includeStack: section.boolean('includeStack'),
      redact: section.callback('redact'),
      onUndeliverable: section.oneOf('onUndeliverable', ['hold', 'pointer']),
    }),
  };
}
