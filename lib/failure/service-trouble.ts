import { SyncCallError, type SyncStatus } from '../kafka-events.errors.js';
import { MAX_LANE_DELAY_MS } from './retry-policy.js';

/** A failure that tells of a service, and nothing of the record that it was called for. */
export interface ServiceTrouble {
  /** When it is worth calling again, in milliseconds. */
  readonly waitMs: number;
  /** Whether its breaker keeps all calls from it: false where there is only no room, or somebody else tries it. */
  readonly isOutage: boolean;
}

/** Where nobody knows when: often enough to be there soon, too seldom to be a load. */
const SHORTEST_WAIT_MS = 1_000;

/** What a service that is away or overloaded fails with. Of the others the record may be the reason. */
const SAYS_NOTHING_OF_THE_RECORD: ReadonlySet<SyncStatus> = new Set<SyncStatus>([
  ...(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED'] as const),
]);

/**
 * What a handler's failure says of the service that it called: that it was not called at all, its breaker
 * being open or its bulkhead full, or that it did not answer, and is known to be sick. Null for all others.
 */
export function serviceTroubleOf(error: Error): ServiceTrouble | null {
  if (!(error instanceof SyncCallError)) return null;
  const { origin, status, retryInMs } = error;
  const isKnownSick = retryInMs !== null && SAYS_NOTHING_OF_THE_RECORD.has(status);
  if (origin !== 'guard' && !isKnownSick) return null;
  const waitMs = Math.min(Math.max(retryInMs ?? 0, SHORTEST_WAIT_MS), MAX_LANE_DELAY_MS);
  return { waitMs, isOutage: (retryInMs ?? 0) > 0 };
}
