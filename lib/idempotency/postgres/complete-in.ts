import { EventBatch } from '../../consuming/batch/event-batch.js';
import type { ConsumedEvent } from '../../consuming/consumed-event.js';
import type { SqlTransaction } from '../../contracts/sql-transaction.js';
import {
  ClaimLostError,
  NoClaimError,
  toError,
  type ClaimLoss,
} from '../../kafka-events.errors.js';
import { sqlStateOf } from '../../postgres/postgres-error.js';
import type { IdempotencyStore } from '../idempotency-store.js';
import type { JoinedClaim } from '../joined-claim.js';
import { hashOf } from './claim-hash.js';

/** What `complete_in` fails with where a claim is not ours; its message is what it found. */
const LOST = 'KE001';
/** Nothing. */
const GONE = 'gone';

/** See `PostgresIdempotencyStore.completeIn`. */
export async function completeIn(
  tx: SqlTransaction,
  event: ConsumedEvent | EventBatch,
  schema: string,
  store: IdempotencyStore,
): Promise<void> {
  const events = event instanceof EventBatch ? undecidedOf(event) : [event];
  if (events.length === 0) return;
  const claims = events.map((one) => joinedBy(one, store));
  const asked = claims.map(({ key, token, level, retentionMs }) => ({
    ...{ key: hashOf(key).toString('hex'), token },
    ...{ level, retentionMs: Math.ceil(retentionMs) },
  }));
  try {
    await tx.query(`SELECT ${schema}.complete_in($1::jsonb)`, [JSON.stringify(asked)]);
  } catch (thrown) {
    const error = originOf(toError(thrown));
    if (sqlStateOf(error) !== LOST) throw thrown;
    // Two stores may have one database: only where the claim is not there, it is another one's.
    if (error.message === GONE && claims.some((claim) => claim.store !== store)) {
      throw new NoClaimError(
        event.handlerId,
        'idempotency.store of the module is another one, in another database or schema; give the module this store',
        { cause: error },
      );
    }
    const ids = events.map(({ eventId }) => eventId);
    throw new ClaimLostError(lossOf(error.message), event.handlerId, ids, { cause: error });
  }
}

function undecidedOf(batch: EventBatch): ConsumedEvent[] {
  return [...batch].filter(({ index }) => batch.decisionOn(index) === null);
}

function joinedBy(event: ConsumedEvent, store: IdempotencyStore): JoinedClaim {
  const joined = event.joinClaim();
  if (joined === null) {
    throw new NoClaimError(
      event.handlerId,
      'its idempotency is switched off, or the store was away and onStoreError is "process"',
    );
  }
  if (joined.store.name === store.name) return joined;
  throw new NoClaimError(
    event.handlerId,
    `idempotency.store of the module is "${joined.store.name}"; give the module this store`,
  );
}

/** Libraries wrap what `pg` threw: TypeORM as `driverError`, others as the cause. */
function originOf(error: Error): Error {
  const inner = 'driverError' in error ? error.driverError : error.cause;
  return sqlStateOf(error) === null && inner !== undefined ? toError(inner) : error;
}

function lossOf(found: string): ClaimLoss {
  if (found === 'done' || found === 'taken') return found;
  return 'given back';
}
