import type { MaybePromise } from '../contracts/maybe-promise.js';
import type { SyncCallRef } from '../kafka-events.errors.js';

/** Text that travels beside a request: metadata of gRPC, headers of HTTP. Names are in lower case. */
export type SyncMetadata = Readonly<Record<string, string>>;

/** What a transport is told of one attempt beside the request. */
export interface SyncAttempt extends SyncCallRef {
  /** When nobody waits for the answer any more, in milliseconds since the Unix epoch; to be told to the service. */
  readonly deadline: number;
  /** Aborted when the caller gives up, at the deadline at the latest: what was sent is to be cancelled. */
  readonly signal: AbortSignal;
  readonly metadata: SyncMetadata;
}

/**
 * How one service is called. The guard in front of it keeps deadlines, counts, repeats and falls back; a
 * transport does one attempt at a time, and none by itself a second time.
 */
export interface SyncTransport {
  /** For people: the protocol, and where the service is. No secrets. */
  readonly name: string;

  /**
   * Gets ready, without needing the service to be there; answers the names of the methods that can be
   * called. Called once, at boot.
   *
   * @throws any error whose message says what is wrong with the configuration: it fails the boot.
   */
  open(): MaybePromise<readonly string[]>;

  /**
   * Answers the reply. It may settle late, or never, after the attempt's signal was aborted: nobody waits.
   *
   * @throws SyncCallError with the status that the service gave, or `UNAVAILABLE` where nothing came
   * back; with origin `'caller'` where the request cannot be sent as it is. Any other error counts as `UNKNOWN`.
   */
  call(request: unknown, attempt: SyncAttempt): Promise<unknown>;

  /**
   * Called before a service that has failed is tried again: connections that exist may be dead without
   * anybody having been told.
   */
  renew?(): void;

  /** Called once; attempts under way have ended or been aborted. */
  close(): MaybePromise<void>;
}
