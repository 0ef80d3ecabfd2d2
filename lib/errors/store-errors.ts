import { KafkaEventsError } from './kafka-events-error.js';

/** Thrown by stores that cannot be reached, of idempotency or of views; always retryable. */
export class StoreUnavailableError extends KafkaEventsError {
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super('STORE_UNAVAILABLE', message, { ...options, retryable: true });
  }
}

/** Thrown at boot, or by the first call, where tables that a store needs are missing or too old. */
export class MissingTablesError extends KafkaEventsError {
  /** @param store which store needs them, for example `outbox`. */
  constructor(
    readonly store: string,
    problem: string,
    options: { readonly cause?: unknown } = {},
  ) {
    super(
      'MISSING_TABLES',
      `tables of "${store}" are missing: ${problem}. Call createTables() of the store before the ` +
        'application starts, or run the SQL that its `sql` gives in a migration of your own',
      options,
    );
  }
}

/** How a claim is lost: its event is done, somebody else has claimed it, or nobody has it any more. */
export type ClaimLoss = 'done' | 'taken' | 'given back';

/**
 * Thrown where a handler's transaction was to complete a claim that is not the handler's any more. The
 * transaction has failed: roll it back, and let the engine find out what became of the event.
 */
export class ClaimLostError extends KafkaEventsError {
  constructor(
    readonly loss: ClaimLoss,
    handlerId: string,
    eventIds: readonly string[],
    options: { readonly cause?: unknown } = {},
  ) {
    super(
      'CLAIM_LOST',
      `${handlerId} lost its claim of ${describeIds(eventIds)}, which is ${loss}: its transaction must not ` +
        'take effect and is rolled back; let the error through, the event is looked at again',
      { ...options, retryable: true },
    );
  }
}

/**
 * Thrown where a handler's transaction was to complete a claim, and the event has none in that store.
 * Retryable, so that events wait until that is mended, and are not dead-lettered for it.
 */
export class NoClaimError extends KafkaEventsError {
  constructor(handlerId: string, problem: string, options: { readonly cause?: unknown } = {}) {
    super('NO_CLAIM', `${handlerId} has no claim to complete: ${problem}`, {
      ...options,
      retryable: true,
    });
  }
}

/** Thrown where a transaction that was to be committed had failed, and what failed it was not let through. */
export class RolledBackError extends KafkaEventsError {
  constructor() {
    super(
      'ROLLED_BACK',
      'the transaction was rolled back at its commit: a statement in it had failed, and its error was ' +
        'caught inside; let errors of statements through',
      { retryable: true },
    );
  }
}

function describeIds(ids: readonly string[]): string {
  const [first = ''] = ids;
  return ids.length === 1 ? `event ${first}` : `one of ${String(ids.length)} events`;
}
