import { DriverError } from '../kafka-events.errors.js';

/** Thrown when a record was not acknowledged before its deadline; it may still arrive. */
export class SendDeadlineError extends DriverError {
  /** @param cause what the last try failed with; null when none failed. */
  constructor(topic: string, cause: DriverError | null) {
    super('retryable', `"${topic}" did not acknowledge the record before its deadline`, { cause });
  }
}
