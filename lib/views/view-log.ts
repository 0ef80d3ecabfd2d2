import type { AdminDriver } from '../kafka/driver.js';
import type { ViewPosition } from './view-store.js';

/** What a look at the log found. */
export interface LogLook {
  /** When it was asked for, in milliseconds since the Unix epoch. */
  readonly at: number;
  readonly starts: readonly ViewPosition[];
  readonly ends: readonly ViewPosition[];
  /** What the group has committed. */
  readonly committed: readonly ViewPosition[];
}

/** Looks at topics and at what groups have committed in them, over one connection that it renews by itself. */
export class ViewLog {
  #admin: AdminDriver | null = null;
  #closed = false;

  constructor(
    private readonly connect: () => AdminDriver,
    private readonly now: () => number,
  ) {}

  /** @throws DriverError when the broker does not answer. */
  async look(groupId: string, topics: readonly string[]): Promise<LogLook> {
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

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#admin !== null) await this.#drop(this.#admin);
  }

  async #drop(admin: AdminDriver): Promise<void> {
    if (this.#admin === admin) this.#admin = null;
    await admin.close();
  }
}
