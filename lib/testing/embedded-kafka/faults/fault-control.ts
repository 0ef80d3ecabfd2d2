import type { KafkaErrorName } from '../wire/kafka-error.js';

/** What becomes of one request. */
export type Verdict<Response> =
  | { readonly kind: 'pass' }
  | { readonly kind: 'fail'; readonly error: KafkaErrorName }
  | { readonly kind: 'answer'; readonly response: Response | null }
  | { readonly kind: 'swallow' }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'close' };

/** What a fault can do with a request: its handler returns what one of these answers. */
export interface FaultControl<Request, Response> {
  /** The broker that was asked. */
  readonly nodeId: number;
  readonly clientId: string | null;
  /** Refuses all that the request asks for with that error; nothing is done. */
  fail(error: KafkaErrorName): Verdict<Response>;
  /** Sends that answer; nothing is done but what `handle` did before. */
  answer(response: Response | null): Verdict<Response>;
  /** Sends no answer: the client waits until it gives up. */
  swallow(): Verdict<Response>;
  /** Handles the request after that time. */
  delay(ms: number): Verdict<Response>;
  /** Closes the connection without an answer. */
  closeConnection(): Verdict<Response>;
  /** Leaves the request alone; it does not count as a hit. */
  pass(): Verdict<Response>;
  /**
   * Does what the broker does without the fault, and tells its answer without sending it: an answer
   * can be changed on its way, or be lost after the deed was done.
   */
  handle(request?: Request): Promise<Response | null>;
}

/** The verbs that only say what they say. */
export function verdicts<Response>() {
  return {
    fail: (error: KafkaErrorName): Verdict<Response> => ({ kind: 'fail', error }),
    answer: (response: Response | null): Verdict<Response> => ({ kind: 'answer', response }),
    swallow: (): Verdict<Response> => ({ kind: 'swallow' }),
    delay: (ms: number): Verdict<Response> => ({ kind: 'delay', ms }),
    closeConnection: (): Verdict<Response> => ({ kind: 'close' }),
    pass: (): Verdict<Response> => ({ kind: 'pass' }),
  };
}
