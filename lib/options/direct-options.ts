import type {
  DirectDeliveryOptions,
  HybridOptions,
  KafkaEventsSettings,
} from '../kafka-events.options.js';
import { DEFAULTS } from './defaults.js';
import { DURATION_MS, RETENTION_MS } from './option-ranges.js';
import { hasMethods, isObject, onlyGiven, type OptionSection } from './option-section.js';

/** Beyond that, claims of direct deliveries would keep records of Kafka from being claimed. */
const IN_FLIGHT = { min: 1, max: 256 };

export function readDirectDelivery(
  section: OptionSection<DirectDeliveryOptions>,
): KafkaEventsSettings['directDelivery'] {
  const transport = section.value(
    'transport',
    'a transport such as eventDelivery({ … })',
    (value) => hasMethods(value, ['listen', 'close']),
  );
  if (!section.has('transport')) section.refuse('transport', 'is missing');
  const given = onlyGiven({
    deadlineMs: section.integer('deadlineMs', DURATION_MS),
    maxInFlight: section.integer('maxInFlight', IN_FLIGHT),
    rememberMs: section.integer('rememberMs', RETENTION_MS),
  });
  return transport === undefined ? null : { ...DEFAULTS.directDelivery, ...given, transport };
}

export function readDirectTo(
  section: OptionSection<HybridOptions>,
): KafkaEventsSettings['directTo'] {
  const given = section.value(
    'directTo',
    'an object of targets such as deliverTo({ … })',
    (value) =>
      isObject(value) &&
      Object.values(value).every((each) => hasMethods(each, ['deliver', 'close'])),
  );
  return new Map(Object.entries(given ?? {}));
}
