import { createHash } from 'node:crypto';

import type { ConsumedEvent } from '../consuming/consumed-event.js';

/** As with claims: an event is the same if all of these are. */
type Identity = Pick<ConsumedEvent, 'topic' | 'eventType' | 'source' | 'eventId'>;

/** Events that a row remembers. */
const REMEMBERED = 32;
/** Characters of a mark; 72 bits, so that no two events of a row have the same. */
const LENGTH = 12;
/** Never part of a Kafka name: parts cannot run into each other. */
const SEPARATOR = '\u0000';

/** Stands for an event: ids may be long, and any text; marks are all of one length. */
export function markOf({ topic, eventType, source, eventId }: Identity): string {
  return createHash('sha256')
    .update([topic, eventType, source ?? '', eventId].join(SEPARATOR))
    .digest('base64url')
    .slice(0, LENGTH);
}

/** Whether an event is among those that a row remembers. */
export function isRecent(recent: string, mark: string): boolean {
  for (let at = 0; at < recent.length; at += LENGTH) {
    if (recent.startsWith(mark, at)) return true;
  }
  return false;
}

/** What a row remembers after one more event: the oldest makes room. */
export function withRecent(recent: string, mark: string): string {
  return (recent + mark).slice(-REMEMBERED * LENGTH);
}
