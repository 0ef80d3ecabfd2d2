import { createHash } from 'node:crypto';

import type { PostgresDatabase } from '../../postgres/postgres-database.js';

/**
 * The number by which a generation is locked while it changes, shared, or while it moves on, alone.
 *
 * Not the lock of its row: many who share that one after another could keep out for ever who wants it alone.
 */
export function lockOf({ schema }: PostgresDatabase, generation: string): string {
  return createHash('sha256')
    .update(`nestjs-kafka-events ${schema} ${generation}`)
    .digest()
    .readBigInt64BE()
    .toString();
}
