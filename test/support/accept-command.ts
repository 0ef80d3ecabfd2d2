import { systemClock } from '../../lib/contracts/clock.js';
import type { AcceptCommand } from '../../lib/fallback/accept-command.js';
import { acceptDurably } from '../../lib/hybrid/accept-durably.js';
import { DurablePublisher } from '../../lib/hybrid/durable-publisher.js';
import type { EventPublisher } from '../../lib/publishing/event-publisher.js';

/** Of a module without one. */
export const NO_OUTBOX = {
  isConfigured: false,
  storeEncoded: () => Promise.resolve(),
  holds: () => Promise.resolve(false),
  isEmpty: () => Promise.resolve(true),
};

/** What accepts commands where there is a publisher, and no outbox. */
export function acceptThrough(publisher: EventPublisher): AcceptCommand {
  const outbox = NO_OUTBOX;
  const durable = new DurablePublisher({
    ...{ publisher, outbox, clock: systemClock, targets: new Map() },
  });
  return acceptDurably(durable, outbox);
}
