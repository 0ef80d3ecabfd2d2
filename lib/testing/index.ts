export type { ConformanceCase } from './conformance-case.js';
export {
  idempotencyStoreConformance,
  type IdempotencyStoreConformanceOptions,
  type IdempotencyStoreOnTrial,
} from './idempotency-store-conformance.js';
