import type { DirectReceipt } from '../consuming/direct/direct-reply.js';
import type {
  AcceptedCommand,
  DefaultReply,
  KeptReply,
  ServiceReply,
} from '../fallback/sync-result.js';
import type { PublishReceipt } from '../publishing/publish-options.js';

/** What came of asking a service first: `path` says who answered, and tells the shapes apart. */
export type SyncFirstResult<Reply> =
  | WithPath<ServiceReply<Reply>>
  | WithPath<KeptReply<Reply>>
  | WithPath<DefaultReply<Reply>>
  | WithPath<AcceptedCommand>;

/** The result of a call by itself, with `path` in the place of `source`. */
export type WithPath<Result extends { readonly source: string }> = Omit<Result, 'source'> & {
  readonly path: Result['source'];
};

/** What a view knew; null where it knows nothing of it. */
export interface ViewReadResult<Reply> {
  readonly path: 'view';
  readonly value: Reply | null;
  readonly ageMs: number | null;
}

/** Where an event went. */
export interface AsyncFirstResult {
  /**
   * - `published`: the broker has it.
   * - `outbox`: the outbox has it, and publishes it under the same id.
   * - `outbox+direct`: that, and handlers that accept it have handled it already.
   * - `direct`: they have, and nobody else will hear of it: there is no outbox, or it is away, too.
   */
  readonly path: 'published' | 'outbox' | 'outbox+direct' | 'direct';
  readonly eventId: string;
  /** Whether the event is kept where a crash of this process does not reach it. */
  readonly durable: boolean;
  /** Of the broker; null where it has not got it yet. */
  readonly receipt: PublishReceipt | null;
  /** What the handlers said who were given it directly, those included that are left to Kafka. */
  readonly direct: DirectReceipt | null;
  /** Why it was not published; null where it was, or where it only had to go behind others. */
  readonly cause: Error | null;
  /** Why it was not delivered directly although it should have been. */
  readonly directCause: Error | null;
}
