import { setTimeout as sleep } from 'node:timers/promises';

export interface EventuallyOptions {
  /** @default 10_000 */
  readonly timeoutMs?: number;
  /** @default 25 */
  readonly intervalMs?: number;
  /** What is awaited, for the message of a failure. */
  readonly message?: string;
}

/**
 * Calls `probe` until it neither throws nor answers `undefined`, `null` or `false`, and returns
 * its answer. Put `expect(…)` inside for a condition and `return true`, or return the value itself.
 *
 * Throws, once the deadline has passed, with the last failure as `cause`.
 */
export async function eventually<T>(
  probe: () => T | Promise<T>,
  { timeoutMs = 10_000, intervalMs = 25, message }: EventuallyOptions = {},
): Promise<Exclude<T, undefined | null | false>> {
  const startedAt = performance.now();
  let last: { error: unknown } | { answer: unknown };
  do {
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== null && answer !== false) {
        return answer as Exclude<T, undefined | null | false>;
      }
      last = { answer };
    } catch (error) {
      last = { error };
    }
    await sleep(intervalMs);
  } while (performance.now() - startedAt < timeoutMs);

  const awaited = message ?? 'the condition';
  if ('error' in last) {
    const reason = last.error instanceof Error ? last.error.message : String(last.error);
    throw new Error(`After ${timeoutMs} ms, ${awaited} still failed: ${reason}`, {
      cause: last.error,
    });
  }
  throw new Error(`After ${timeoutMs} ms, ${awaited} still answered ${String(last.answer)}`);
}
