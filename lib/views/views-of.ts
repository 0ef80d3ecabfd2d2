import { randomBytes } from 'node:crypto';

import type { ProcessSurroundings } from '../consuming/build-group.js';
import type { EventConsumers } from '../consuming/event-consumers.js';
import type { HandlerSettings } from '../consuming/handler-options.js';
import { safeRedactor } from '../failure/redact.js';
import type { KafkaEventsSettings } from '../kafka-events.options.js';
import { resolveHandler } from '../options/resolve-handler.js';
import { MaterialisedViews } from './materialised-views.js';
import { MemoryViewStore } from './memory-view-store.js';
import { projectorId } from './projector-id.js';
import type { ViewDefinition } from './view-definition.js';
import { ViewLog } from './view-log.js';
import type { ViewStore } from './view-store.js';

/** Records of one transaction; what is there is taken at once. */
const BATCH = { maxSize: 500, maxWaitMs: 0 };
/** A change that is not answered is handed back long before. */
const TIMEOUT_MS = 5 * 60_000;

/** Makes the application's views, on its consumers. Connects to nothing. */
export function viewsOf(
  { settings, driver, signals }: ProcessSurroundings,
  consumers: EventConsumers,
): MaterialisedViews {
  const { clock, views, defaultGroupId, topicName, consume, deadLetter } = settings;
  const store: ViewStore = views?.store ?? new MemoryViewStore();
  let verified: Promise<void> | null = null;
  return new MaterialisedViews(views?.views ?? [], {
    store,
    log: new ViewLog(
      () => driver.admin(),
      () => clock.now(),
    ),
    groups: {
      join: (groupId, handlers, options) => consumers.join(groupId, handlers, options),
      leave: (groupId) => consumers.leave(groupId),
      watermarks: (groupId) =>
        consumers.consumers
          .filter((group) => group.groupId === groupId)
          .flatMap((group) => group.partitions)
          .flatMap(({ topic, partition, tracker: { watermark: offset } }) =>
            offset === null ? [] : [{ topic, partition, offset }],
          ),
    },
    signals,
    clock,
    consumes: consume,
    topicName,
    groupId: defaultGroupId ?? '',
    settingsOf: (view, groupId) => projectorSettings(view, groupId, settings),
    // Also when the store was lost and begins anew: a group of that name must not have been before.
    newId: () => randomBytes(5).toString('hex'),
    verified: () => {
      verified ??= Promise.resolve(store.verify?.()).catch((error: unknown) => {
        verified = null;
        throw error;
      });
      return verified;
    },
    redact: safeRedactor(deadLetter.redact),
  });
}

/** As of any handler of batches, but that no record may pass another, and the view's rows are its claims. */
function projectorSettings(
  { name, tombstones }: ViewDefinition,
  groupId: string,
  settings: KafkaEventsSettings,
): HandlerSettings {
  const resolved = resolveHandler(
    projectorId(name),
    {
      ...BATCH,
      groupId,
      timeoutMs: TIMEOUT_MS,
      idempotency: false,
      retryTopic: false,
      tombstones: tombstones === 'delete',
    },
    settings,
    'batch',
  );
  const { schedules = [], ...retry } = resolved.retry;
  return {
    ...resolved,
    ordering: 'partition',
    retry: { ...retry, schedules: schedules.map((each) => ({ ...each, retryTopic: false })) },
  };
}
