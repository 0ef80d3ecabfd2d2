import type { AdminDriver } from '../kafka/driver.js';
import { ShutdownError } from '../kafka-events.errors.js';
import type { ViewPosition } from './view-store.js';

/** What a look at the log found. */
export interface LogLook {
  /** When it was asked for, by `Clock.now`. */
  readonly at: number;
  readonly starts: readonly ViewPosition[];
  readonly ends: readonly ViewPosition[];
  /** What the group has committed. */
  readonly committed: readonly ViewPosition[];
}

/**
 * Looks at topics and at what groups have committed in them, over one connection that it renews by itself.
 *
 * One look at a time: what the client knows of the cluster is only ever of the topics that it was asked for last, and
 * a look that fails ends the connection.
 */
export class ViewLog {
  #admin: AdminDriver | null = null;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(
    private readonly connect: () => AdminDriver,
    private readonly now: () => number,
  ) {}

  /** @throws DriverError when the broker does not answer, ShutdownError after `close`. */
  look(groupId: string, topics: readonly string[]): Promise<LogLook> {
    const look = this.#turn.then(() => {
      if (this.#closed) throw new ShutdownError();
      return this.#look(groupId, topics);
    });
    this.#turn = look.catch(() => undefined);
    return look;
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#admin !== null) await this.#drop(this.#admin);
  }

  async #look(groupId: string, topics: readonly string[]): Promise<LogLook> {
    const at = this.now();
    const admin = (this.#admin ??= this.connect());
    try {
      const found = await admin.groupLag(groupId, topics);
      const all = found.topics.flatMap(({ topic, partitions }) =>
        partitions.map((each) => ({ topic, ...each })),
      );
      return {
        at,
        starts: all.map(({ topic, partition, start: offset }) => ({ topic, partition, offset })),
        ends: all.map(({ topic, partition, end: offset }) => ({ topic, partition, offset })),
        committed: all.flatMap(({ topic, partition, committed: offset }) =>
          offset === null ? [] : [{ topic, partition, offset }],
        ),
      };
    } catch (error) {
      await this.#drop(admin);
      throw error;
    } finally {
      // It may have been closed meanwhile.
      if (this.#closed) await this.#drop(admin);
    }
  }

  async #drop(admin: AdminDriver): Promise<void> {
    if (this.#admin === admin) this.#admin = null;
    await admin.close();
  }
}
