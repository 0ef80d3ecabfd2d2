export {
  PostgresIdempotencyStore,
  type PostgresIdempotencyStoreOptions,
} from '../idempotency/postgres/postgres-idempotency-store.js';
export { PostgresCursorStore } from '../legacy/postgres/postgres-cursor-store.js';
export { inTransaction } from './in-transaction.js';
export type { PostgresOptions } from './postgres-database.js';
export { PostgresViewStore } from '../views/postgres/postgres-view-store.js';
export { PostgresOutbox, type PostgresOutboxOptions } from '../outbox/postgres/postgres-outbox.js';
