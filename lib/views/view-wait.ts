import type { Clock } from '../contracts/clock.js';
import { ViewBehindError, toError } from '../kafka-events.errors.js';
import type { TopicPartition } from '../kafka/records.js';
import type { ViewRunner } from './view-runner.js';
import type { ViewPosition } from './view-store.js';

/** Before the log is looked at again that did not show a partition. */
const AGAIN_MS = 1_000;

/** What is to be in a view; without an offset, all that its partition has by now. */
interface Wanted extends TopicPartition {
  readonly offset: string | bigint | null;
}

/** One wait for a view. */
export interface ViewWait {
  readonly view: string;
  readonly runner: Pick<ViewRunner, 'generations' | 'waits' | 'look'>;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
}

/**
 * Resolves when the view has come so far. Its time runs from the beginning: the broker that is asked where a
 * partition ends may be long in answering.
 *
 * @throws ViewBehindError, ShutdownError, what the look throws, whatever `signal` was aborted with.
 */
export async function untilReached(
  targets: readonly Wanted[],
  { view, runner, clock, timeoutMs, signal }: ViewWait,
): Promise<void> {
  throwIfAborted(signal);
  let positions = positionsOf(targets, []);
  const behind = (): number | null =>
    positions === null ? null : (runner.generations.live?.progress.behind(positions) ?? null);
  await runner.waits.until(
    () => behind() === 0,
    true,
    (reject) => {
      let isOver = false;
      let again: ReturnType<Clock['setTimeout']> | null = null;
      const look = async (): Promise<void> => {
        const ends = await runner.look();
        if (isOver) return;
        positions = positionsOf(targets, ends);
        if (positions === null) again = clock.setTimeout(lookOn, AGAIN_MS);
        else runner.waits.moved();
      };
      const lookOn = (): void => {
        look().catch((thrown: unknown) => {
          reject(toError(thrown));
        });
      };
      const timer = clock.setTimeout(() => {
        reject(new ViewBehindError(view, behind(), timeoutMs));
      }, timeoutMs);
      const ignore = onAbort(signal, reject);
      if (positions === null) lookOn();
      return () => {
        isOver = true;
        clock.clearTimeout(timer);
        if (again !== null) clock.clearTimeout(again);
        ignore();
      };
    },
  );
}

export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw toError(signal.reason);
}

/** Rejects when it is aborted; answers how to unsubscribe. */
export function onAbort(
  signal: AbortSignal | undefined,
  reject: (error: Error) => void,
): () => void {
  const abort = (): void => {
    reject(toError(signal?.reason));
  };
  signal?.addEventListener('abort', abort, { once: true });
  return () => {
    signal?.removeEventListener('abort', abort);
  };
}

/** The next offsets to be reached; null while the end of one of them is not known. */
function positionsOf(
  targets: readonly Wanted[],
  ends: readonly ViewPosition[],
): readonly ViewPosition[] | null {
  const positions = targets.flatMap(({ topic, partition, offset }): ViewPosition[] => {
    if (offset !== null) return [{ topic, partition, offset: BigInt(offset) + 1n }];
    return ends.filter((end) => end.topic === topic && end.partition === partition);
  });
  return positions.length < targets.length ? null : positions;
}
