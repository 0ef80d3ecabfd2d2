import { DriverError, toError } from '../kafka-events.errors.js';

/** What a producer threw; a driver that throws anything else is broken. */
export function asDriverError(thrown: unknown): DriverError {
  if (thrown instanceof DriverError) return thrown;
  const error = toError(thrown);
  return new DriverError('fatal', `the driver failed: ${error.message}`, { cause: error });
}
