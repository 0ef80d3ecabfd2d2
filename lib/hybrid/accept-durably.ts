import type { AcceptCommand } from '../fallback/accept-command.js';
import type { DurablePublisher } from './durable-publisher.js';
import { asyncFirst } from './hybrid-operation.js';

/** Of the time there is, what the broker has; the rest is the outbox's. */
const BROKER_SHARE = 0.5;

/** Accepts commands as `asyncFirst` does events: published or, where there is an outbox, kept by that. */
export function acceptDurably(
  durable: Pick<DurablePublisher, 'publish'>,
  { isConfigured: hasOutbox }: { readonly isConfigured: boolean },
): AcceptCommand {
  return async (event, payload, options, leftMs) => {
    const deadlineMs = Math.max(1, Math.floor(hasOutbox ? leftMs * BROKER_SHARE : leftMs));
    // Without an outbox there is nothing that an event could overtake.
    const operation = asyncFirst({ event, deadlineMs, order: hasOutbox ? 'process' : 'none' });
    const { path, eventId, receipt } = await durable.publish(operation, payload, options);
    return { eventId, keptBy: path === 'published' ? 'broker' : 'outbox', receipt };
  };
}
