export {
  RedisIdempotencyStore,
  type RedisIdempotencyStoreOptions,
} from '../idempotency/redis/redis-idempotency-store.js';
