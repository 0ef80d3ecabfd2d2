import { KafkaEventsError } from './kafka-events-error.js';

/** Thrown by `MaterialisedViews.of` for a view that is not among the module's. */
export class UnknownViewError extends KafkaEventsError {
  constructor(message: string) {
    super('UNKNOWN_VIEW', message);
  }
}

/** Thrown by a view that has not been built yet; `KafkaEventsHealth` tells how far it is. */
export class ViewNotReadyError extends KafkaEventsError {
  constructor(
    readonly view: string,
    why: string,
  ) {
    super('VIEW_NOT_READY', `the view "${view}" cannot be read yet: ${why}`, { retryable: true });
  }
}

/** Thrown by `waitFor` when the view does not come so far in time; the event is not lost for it. */
export class ViewBehindError extends KafkaEventsError {
  /** @param recordsBehind records between where the view is and where it was waited for; null when unknown. */
  constructor(
    readonly view: string,
    readonly recordsBehind: number | null,
    timeoutMs: number,
  ) {
    const how = recordsBehind === null ? 'an unknown number of' : String(recordsBehind);
    super(
      'VIEW_BEHIND',
      `the view "${view}" was still ${how} record(s) behind after ${String(timeoutMs)} ms; ` +
        'read it as it is, or wait for it again',
      { retryable: true },
    );
  }
}

/** Why a view in memory changes no more: it has as many rows as it may. */
export class ViewFullError extends KafkaEventsError {
  constructor(
    readonly view: string,
    maxRows: number,
  ) {
    super(
      'VIEW_FULL',
      `the view "${view}" has ${String(maxRows)} rows, as many as it may, and changes no more; raise maxRows of ` +
        'its MemoryViewStore, or keep it in Postgres',
    );
  }
}
