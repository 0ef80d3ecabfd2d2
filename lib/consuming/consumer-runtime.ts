import type { BoundHandler } from './event-handler.js';

/**
 * What consumes for the application: started when everything else is up, stopped before anything
 * else goes down.
 *
 * The module calls `start` once at most, and never after `stop`. `stop` may come without `start`, while
 * `start` is under way, or after it failed.
 */
export interface ConsumerRuntime {
  /** Joins the groups of these handlers. A rejection fails the boot. */
  start(handlers: readonly BoundHandler[]): Promise<void>;
  /** Notes why `start` has not been called yet, for health to tell. */
  postpone(reason: string): void;
  /** Stops fetching, drains, commits and leaves; resolves when no handler runs any more or the drain is over. */
  stop(): Promise<void>;
}
