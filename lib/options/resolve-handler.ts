import type { EventHandlerOptions, HandlerSettings } from '../consuming/handler-options.js';
import type { KafkaEventsSettings } from '../kafka-events.options.js';

// Stand-in of the Nest edge until the options engineer's file is here.
export function resolveHandler(
  id: string,
  options: EventHandlerOptions,
  settings: KafkaEventsSettings,
): HandlerSettings {
  const given = { ...options, ...settings.handlerOverrides[id] };
  const { windowMs } = settings.idempotency;
  return {
    id,
    groupId: given.groupId ?? settings.defaultGroupId ?? '',
    concurrency: given.concurrency ?? 16,
    ordering: given.ordering ?? 'key',
    timeoutMs: given.timeoutMs ?? 300_000,
    retry: { ...settings.retry, ...given.retry },
    idempotency:
      given.idempotency === false ? null : { windowMs, scope: 'event', ...given.idempotency },
    tombstones: given.tombstones ?? settings.tombstones,
  };
}
