import type { Pool, PoolClient } from 'pg';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;

/**
 * Hears what others NOTIFY, on a connection that it keeps; where that breaks, on another one. What is said
 * meanwhile is not heard: whoever listens looks by itself as well.
 */
export class Listener {
  #client: PoolClient | null = null;
  #end: (() => void) | null = null;
  #stopped = false;
  readonly #running: Promise<void>;

  constructor(
    private readonly pool: Pool,
    private readonly channel: string,
    private readonly heard: () => void,
  ) {
    this.#running = this.#run();
  }

  /** Resolves when its connection is closed; never waits for one that was asked for. */
  stop(): Promise<void> {
    this.#stopped = true;
    this.#end?.();
    return this.#running;
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#stopped; failures++) {
      if (await this.#listen()) failures = 0;
      if (this.#isStopped()) return;
      await this.#until(Math.min(FIRST_DELAY_MS * 2 ** failures, LONGEST_DELAY_MS));
    }
  }

  /** Until the connection breaks, or it is stopped; false where it could not even begin. */
  async #listen(): Promise<boolean> {
    // Neither a connection nor an answer need ever come.
    const ended = this.#until(null);
    const connecting = this.pool.connect();
    try {
      await Promise.race([connecting, ended]);
      if (this.#isStopped()) {
        giveBack(connecting);
        return false;
      }
      const client = await connecting;
      this.#client = client;
      client.on('notification', this.#onNotification);
      client.on('error', this.#onEnd);
      client.on('end', this.#onEnd);
      await Promise.race([client.query(`LISTEN ${this.channel}`), ended]);
      if (this.#isStopped()) return false;
      // What was committed before nobody has told us.
      this.heard();
      await ended;
      return true;
    } catch {
      return false;
    } finally {
      this.#drop();
    }
  }

  #drop(): void {
    const client = this.#client;
    if (client === null) return;
    this.#client = null;
    client.removeListener('notification', this.#onNotification);
    client.removeListener('end', this.#onEnd);
    // Closed, not given back: it would go on listening for others.
    client.release(true);
    client.removeListener('error', this.#onEnd);
  }

  #until(ms: number | null): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === null ? undefined : setTimeout(() => this.#end?.(), ms);
      this.#end = () => {
        clearTimeout(timer);
        this.#end = null;
        resolve();
      };
      if (this.#stopped) this.#end();
    });
  }

  #isStopped(): boolean {
    return this.#stopped;
  }

  readonly #onNotification = (): void => {
    this.heard();
  };

  readonly #onEnd = (): void => {
    this.#end?.();
  };
}

function giveBack(connecting: Promise<PoolClient>): void {
  connecting.then(
    (client) => {
      client.release();
    },
    () => undefined,
  );
}
