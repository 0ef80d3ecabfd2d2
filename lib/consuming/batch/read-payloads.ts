import type { Clock } from '../../contracts/clock.js';
import { isPromise } from '../../contracts/maybe-promise.js';
import { withinMs } from '../../contracts/within.js';
import { HandlerTimeoutError, toError } from '../../kafka-events.errors.js';
import type { HandlerCourse } from '../handler-course.js';
import { readPayload } from '../read-payload.js';
import type { BatchEntry } from './batch-queue.js';

/** A record whose payload could not be read. */
export interface Unreadable {
  readonly entry: BatchEntry;
  readonly error: Error;
}

/**
 * Reads the payload of each record into its course; answers those that cannot be read. Validators that
 * are asynchronous have as long as the handler. Never rejects.
 */
export async function readPayloads(
  entries: readonly BatchEntry[],
  clock: Clock,
): Promise<Unreadable[]> {
  const unreadable: Unreadable[] = [];
  const reading = new Map<BatchEntry, Promise<void>>();
  for (const entry of entries) {
    const failed = (thrown: unknown): void => {
      unreadable.push({ entry, error: toError(thrown) });
    };
    try {
      const payload = readingOf(entry.course);
      if (isPromise(payload)) {
        const ended = payload.then((read) => {
          entry.course.payload = read;
        }, failed);
        reading.set(
          entry,
          ended.finally(() => reading.delete(entry)),
        );
      } else {
        entry.course.payload = payload;
      }
    } catch (error) {
      failed(error);
    }
  }
  if (reading.size > 0) await inTime(reading, unreadable, clock);
  return unreadable;
}

async function inTime(
  reading: ReadonlyMap<BatchEntry, Promise<void>>,
  unreadable: Unreadable[],
  clock: Clock,
): Promise<void> {
  const [first] = reading.keys();
  if (first === undefined) return;
  const { id, timeoutMs } = first.course.runtime.handler.settings;
  await withinMs(Promise.all(reading.values()), timeoutMs, clock);
  // A copy of what is late: what still comes counts no more.
  for (const entry of [...reading.keys()]) {
    unreadable.push({
      entry,
      error: new HandlerTimeoutError(`reading payloads for ${id}`, timeoutMs),
    });
  }
}

function readingOf({
  delivery: { route, envelope },
}: HandlerCourse): ReturnType<typeof readPayload> {
  if (route.contract === null)
    throw new TypeError('a handler of batches was given an unrouted record');
  return readPayload(route.contract, envelope.record);
}
