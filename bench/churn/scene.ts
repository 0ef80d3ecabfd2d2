/** What the broker and its clients both know: names and sizes. */

const KIB = 1024;

/** Written by all kinds of producers; their oldest records are deleted. */
export const TOPICS = [
  { topic: 'orders', partitions: 6 },
  { topic: 'payments', partitions: 3 },
] as const;

/**
 * Per partition. At the rate of the writers this lasts for a minute: no reader is ever so far behind
 * that records are deleted before it has seen them.
 */
export const RETENTION_BYTES = 512 * KIB;

/** Groups whose members come and go, and are troubled. */
export const GROUPS = ['readers-1', 'readers-2'] as const;

/** The group of one quiet member that checks what was promised. */
export const AUDITOR = 'auditor';

/** Of members and transactions: whoever vanishes is forgotten after it. */
export const SESSION_MS = 3_000;
