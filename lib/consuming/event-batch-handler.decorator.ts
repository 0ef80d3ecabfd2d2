import type { BatchHandlerFor, EventSources, HandledPayload } from './handler-for.js';
import { handlerMarker } from './handler-metadata.js';
import type { EventBatchHandlerOptions } from './handler-options.js';

/**
 * Handles events in batches, with a method of any provider or controller: records of one partition,
 * in the order of their offsets, one batch after another. A batch is handed over when it has `maxSize`
 * records or its first has waited for `maxWaitMs`.
 *
 * Every record is claimed, retried and dead-lettered by itself, see `EventBatch`; guards, interceptors
 * and filters run once for a batch, and pipes not at all: payloads are checked by their contracts.
 * A topic is taken by handlers of batches or by handlers of single events in one group, not by both.
 *
 * A method that takes no `EventBatch` of these events does not compile.
 *
 * @throws InvalidHandlerError for no events, or on anything but a method.
 * @example
 * @EventBatchHandler(TelemetryReading, { maxSize: 1_000 })
 * async ingest(batch: EventBatch<TelemetryReading>) {
 *   await this.readings.insertAll(batch.payloads);
 * }
 */
export function EventBatchHandler<const S extends EventSources, Tombstones extends boolean = false>(
  sources: S,
  options: EventBatchHandlerOptions & { readonly tombstones?: Tombstones } = {},
) {
  const mark = handlerMarker('batch', sources, options);
  return <M extends (...args: never[]) => unknown>(
    target: object,
    name: string | symbol,
    descriptor: TypedPropertyDescriptor<M> & BatchHandlerFor<M, HandledPayload<S, Tombstones>>,
  ): void => {
    mark(target, name, descriptor);
  };
}
