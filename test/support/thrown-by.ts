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

/** What a call rejects with. */
export async function rejectionOf(call: () => Promise<unknown>): Promise<Error> {
  try {
    await call();
  } catch (error) {
    return toError(error);
  }
  throw new Error('nothing was thrown');
}
