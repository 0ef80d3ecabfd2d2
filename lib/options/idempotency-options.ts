import type { Clock } from '../contracts/clock.js';
import type { IdempotencyStore } from '../idempotency/idempotency-store.js';
import { MemoryIdempotencyStore } from '../idempotency/memory-idempotency-store.js';
import type {
  IdempotencyOptions,
  KafkaEventsOptions,
  KafkaEventsSettings,
} from '../kafka-events.options.js';
import { DEFAULTS } from './defaults.js';
import type { Environment } from './environment.js';
import { RETENTION_MS } from './option-ranges.js';
import { hasMethods, isText, onlyGiven, type OptionSection } from './option-section.js';

type Root = OptionSection<KafkaEventsOptions>;

/** @param handles whether handlers will run: only then does the choice of the store matter. */
export function readIdempotency(
  root: Root,
  env: Environment,
  clock: Clock,
  handles: boolean,
): KafkaEventsSettings['idempotency'] {
  const given = root.section('idempotency', (section: OptionSection<IdempotencyOptions>) => ({
    store: section.value('store', "'memory' or an idempotency store", isStoreChoice),
    ...onlyGiven({
      windowMs: section.integer('windowMs', RETENTION_MS),
      onStoreError: section.oneOf('onStoreError', ['pause', 'process']),
    }),
  }));
  const chosen = given?.store;
  const wrong = root.problems.concern('idempotency.store', 'idempotency');
  if (handles && chosen === undefined && !env.isDevelopmentOrTest && !wrong) {
    root.problems.add(
      'idempotency.store',
      "must be chosen unless NODE_ENV is 'development' or 'test': 'memory' for a service of one instance, " +
        'a shared store for several',
    );
  }
  return { ...DEFAULTS.idempotency, ...given, store: storeOf(chosen, clock) };
}

function storeOf(chosen: IdempotencyOptions['store'], clock: Clock): IdempotencyStore {
  return typeof chosen === 'object' ? chosen : new MemoryIdempotencyStore({ clock });
}

function isStoreChoice(value: unknown): boolean {
  return (
    value === 'memory' ||
    (hasMethods(value, ['claim', 'complete', 'release', 'renew']) &&
      isText(Reflect.get(Object(value) as object, 'name')))
  );
}
