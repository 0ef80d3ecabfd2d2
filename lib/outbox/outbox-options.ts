import type { OutboxStore } from './outbox-store.js';

/** The module's `outbox`. */
export interface OutboxOptions {
  /** Where events wait; `PostgresOutbox` is one. */
  readonly store: OutboxStore;
  /** False where events are only written, and another service publishes them. Default true. */
  readonly relay?: boolean;
  /** Records read at once. Default 500. */
  readonly batchSize?: number;
  /** How often the relay looks by itself. Default 1 s. */
  readonly pollMs?: number;
  /** How long a relay that died is waited for. Default 10 s. */
  readonly leaseMs?: number;
}

export type OutboxSettings = Readonly<Required<OutboxOptions>>;
