/** What a handler made of an event that was delivered to it directly. */
export type DirectOutcome =
  /** It succeeded, and its claim is marked: the copy from Kafka will be a duplicate. */
  | 'handled'
  /** It was done with the event before. */
  | 'duplicate'
  /** It has not opted in: the copy from Kafka is for it. */
  | 'left-to-kafka'
  /** Its attempt failed, which cost none of those that the copy from Kafka has. */
  | 'failed'
  /** The event is at fault, by its payload or by what the handler said of it; or it was dead-lettered before. */
  | 'rejected'
  /** The event is claimed: another delivery of it is under way, or waits in a retry topic. */
  | 'in-progress'
  /** It is paused, or held by an outage of what it depends on, or suspects the event of a crash. */
  | 'held'
  /** The idempotency store did not answer. */
  | 'store-away'
  /** The deadline came first; what had begun goes on, and its mark counts if it succeeds. */
  | 'late'
  /** The process shuts down. */
  | 'not-ready';

/** One handler's part in a direct delivery. */
export interface DirectHandlerReply {
  readonly groupId: string;
  readonly handlerId: string;
  readonly outcome: DirectOutcome;
  /** Why it failed or was rejected, redacted; else null. */
  readonly error: string | null;
}

/** Answers a direct delivery of which every handler that opted in is done. */
export interface DirectReceipt {
  /** Of all groups of the process, those that were left to Kafka included. */
  readonly handlers: readonly DirectHandlerReply[];
}
