import type { EventSource, PublishPayload } from '../contracts/event-source.js';
import type { PublishOptions, PublishReceipt } from '../publishing/publish-options.js';

/** A command that has become an event, and who keeps it. */
export interface AcceptedEvent {
  readonly eventId: string;
  /** `outbox`: the broker was away; the outbox publishes it, under the same id, when that is back. */
  readonly keptBy: 'broker' | 'outbox';
  /** Of the broker; null where it has not got it yet. */
  readonly receipt: PublishReceipt | null;
}

/**
 * Makes a command an event that outlives this process, within `leftMs`.
 *
 * @throws PublishError where the event is at fault, or nobody took it.
 */
export type AcceptCommand = <S extends EventSource>(
  event: S,
  payload: PublishPayload<S>,
  options: PublishOptions,
  leftMs: number,
) => Promise<AcceptedEvent>;
