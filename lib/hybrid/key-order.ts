/** Keys remembered to have been behind the outbox, at the most; beyond that every key is taken for one. */
const MAX_BEHIND = 10_000;

/** What is asked of an outbox. */
export interface OutboxOrder {
  /** Whether events of that topic and key wait in it. */
  holds(topic: string, key: Buffer): Promise<boolean>;
  /** Whether any do. */
  isEmpty(): Promise<boolean>;
}

/**
 * Keeps the events of a key in the order in which they are run, whether they are published or go through
 * the outbox.
 *
 *     in line ──(those of its key that were run before have come to an end)──▶ behind? ─ no ─▶ publish
 *                                                                                └ yes ─▶ outbox
 *
 * A key is behind while the outbox has events of it. That is asked for keys which this process has put
 * there, and for every key until the outbox was seen empty once: what an earlier process left there is
 * not known by key.
 */
export class KeyOrder {
  readonly #lines = new Map<string, Promise<unknown>>();
  readonly #behind = new Set<string>();
  /** Whether every event of the outbox was put there by this process, so that its key is known. */
  #knowsAll = false;

  constructor(private readonly outbox: OutboxOrder) {}

  /** Runs it when all that was run before with its key has ended. */
  async inLine<T>(topic: string, key: Buffer, run: () => Promise<T>): Promise<T> {
    const name = nameOf(topic, key);
    const before = this.#lines.get(name);
    const running = before === undefined ? run() : before.then(run);
    // Whatever came of it, the next one goes on.
    const end = running.then(nothing, nothing);
    this.#lines.set(name, end);
    try {
      return await running;
    } finally {
      if (this.#lines.get(name) === end) this.#lines.delete(name);
    }
  }

  /**
   * Whether an event of that key would overtake one in the outbox.
   *
   * @param always whether to ask although this process knows of none.
   */
  async isBehind(topic: string, key: Buffer, always: boolean): Promise<boolean> {
    const name = nameOf(topic, key);
    const known = this.#behind.has(name);
    if (!known && this.#knowsAll && !always) return false;
    if (await this.outbox.holds(topic, key)) return true;
    this.#behind.delete(name);
    if (!this.#knowsAll && (await this.outbox.isEmpty())) this.#knowsAll = true;
    return false;
  }

  /** An event of that key is in the outbox from now on. */
  wentBehind(topic: string, key: Buffer): void {
    if (this.#behind.size >= MAX_BEHIND) {
      this.#behind.clear();
      this.#knowsAll = false;
    }
    this.#behind.add(nameOf(topic, key));
  }
}

/** latin1 maps bytes to characters one to one: different keys stay different. */
function nameOf(topic: string, key: Buffer): string {
  return `${topic}\u0000${key.toString('latin1')}`;
}

function nothing(): void {
  // What came of it is its own caller's.
}
