/**
 * Every error of this package, by what it is of. All others import them from here.
 *
 * The base and the closed set of codes are in `errors/kafka-events-error.ts`.
 */
/* eslint-disable no-restricted-syntax -- `index.ts` lists the names that are public. */
export * from './errors/kafka-events-error.js';
export * from './errors/setup-errors.js';
export * from './errors/payload-errors.js';
export * from './errors/publishing-errors.js';
export * from './errors/publish-all-error.js';
export * from './errors/handling-errors.js';
export * from './errors/direct-delivery-error.js';
export * from './errors/store-errors.js';
export * from './errors/view-errors.js';
export * from './errors/driver-error.js';
export * from './errors/sync-status.js';
export * from './errors/call-errors.js';
export * from './errors/to-error.js';
