import { toError } from '../../lib/kafka-events.errors.js';

/** What a call throws, for tests that look at more of it than its message. */
export function thrownBy(call: () => unknown): Error {
  try {
    call();
  } catch (error) {
    return toError(error);
  }
  throw new Error('nothing was thrown');
}
