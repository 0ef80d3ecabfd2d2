/** What an exception filter may decide about a failed attempt; see {@link EventOutcome}. */
export type EventDecision =
  | { readonly kind: 'succeeded' }
  | { readonly kind: 'retry'; readonly delayMs: number | null }
  | { readonly kind: 'dead-letter'; readonly message: string }
  /** Retry with the handler's backoff for as long as it fails. */
  | { readonly kind: 'keep-trying' };

/**
 * The only return value by which an exception filter changes a failure's fate.
 *
 * Whatever else a filter returns or throws, the failure stays what it was.
 */
export class EventOutcome {
  private constructor(readonly decision: EventDecision) {}

  /** The failure is dealt with: the claim is completed and the record settles as handled. */
  static succeeded(): EventOutcome {
    return new EventOutcome({ kind: 'succeeded' });
  }

  /**
   * Retry the record, even where the error would have dead-lettered it; attempts still count.
   *
   * @param delayMs milliseconds until the next attempt; by default the handler's backoff.
   */
  static retry(delayMs?: number): EventOutcome {
    return new EventOutcome({ kind: 'retry', delayMs: delayMs ?? null });
  }

  /** Dead-letter the record now, reason `handler-requested`, with this message. */
  static deadLetter(message: string): EventOutcome {
    return new EventOutcome({ kind: 'dead-letter', message });
  }

  /** @internal For failures that nobody asked to have dead-lettered. */
  static keepTrying(): EventOutcome {
    return new EventOutcome({ kind: 'keep-trying' });
  }
}
