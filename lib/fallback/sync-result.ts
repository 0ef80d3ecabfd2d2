import type { SyncCallError } from '../kafka-events.errors.js';
import type { AcceptedEvent } from './accept-command.js';

/** The service has answered. */
export interface ServiceReply<Reply> {
  readonly source: 'service';
  readonly value: Reply;
  readonly ageMs: null;
  readonly receipt: null;
  readonly cause: null;
}

/** The service has not, something kept has: `ageMs` old. */
export interface KeptReply<Reply> {
  readonly source: 'cache' | 'view';
  readonly value: Reply;
  readonly ageMs: number;
  readonly receipt: null;
  /** Why the service has not. */
  readonly cause: SyncCallError;
}

/** The service has not; this is what is said then. */
export interface DefaultReply<Reply> {
  readonly source: 'default';
  readonly value: Reply;
  readonly ageMs: null;
  readonly receipt: null;
  readonly cause: SyncCallError;
}

/** The service has not carried out the command; it has become an event, which the broker or the outbox has. */
export interface AcceptedCommand extends AcceptedEvent {
  readonly source: 'accepted';
  readonly value: null;
  readonly ageMs: null;
  readonly cause: SyncCallError;
}

/** What came of a call, and from where; `source` tells the shapes apart. */
export type SyncResult<Reply> =
  ServiceReply<Reply> | KeptReply<Reply> | DefaultReply<Reply> | AcceptedCommand;
