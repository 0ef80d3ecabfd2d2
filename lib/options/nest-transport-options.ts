import type { NestTransportOptions, NestTransportSettings } from '../kafka-events.options.js';
import { DEFAULTS } from './defaults.js';
import { hasMethods, isObject, onlyGiven, type OptionSection } from './option-section.js';

export function readNestTransport(
  section: OptionSection<NestTransportOptions>,
): NestTransportSettings {
  return {
    ...DEFAULTS.nestTransport,
    ...onlyGiven({
      ordering: section.oneOf('ordering', ['key', 'partition', 'none']),
      parser: section.value('parser', "the options of Nest's KafkaParser", isObject),
      deserializer: section.value('deserializer', 'an object with a method deserialize', (value) =>
        hasMethods(value, ['deserialize']),
      ),
    }),
  };
}
