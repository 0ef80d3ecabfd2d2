import type { OutboxOptions, OutboxSettings } from '../outbox/outbox-options.js';
import { DEFAULTS } from './defaults.js';
import { COUNT, DURATION_MS } from './option-ranges.js';
import { hasMethods, onlyGiven, type OptionSection } from './option-section.js';

/** A relay looks at its lease three times in it, and a busy machine takes its time. */
const LEASE_MS = { min: 1_000, max: DURATION_MS.max };

const METHODS = ['add', 'store', 'lead', 'resign', 'next', 'remove', 'hold', 'stats'];

export function readOutbox(section: OptionSection<OutboxOptions>): OutboxSettings | null {
  const store = section.value('store', 'an outbox store', (value) => hasMethods(value, METHODS));
  const given = onlyGiven({
    relay: section.boolean('relay'),
    batchSize: section.integer('batchSize', COUNT),
    pollMs: section.integer('pollMs', DURATION_MS),
    leaseMs: section.integer('leaseMs', LEASE_MS),
  });
  if (section.isGiven && !section.has('store')) section.refuse('store', 'is missing');
  return store === undefined ? null : { ...DEFAULTS.outbox, ...given, store };
}
