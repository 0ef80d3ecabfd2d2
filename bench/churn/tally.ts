/** What the clients have done: by name, how often; and when each group last got a record. */
export class Tally {
  readonly done: Record<string, number> = {};
  /** Expected while brokers stop and leaders move; here to be looked at. */
  readonly failed: Record<string, number> = {};
  /** Lives that kafkajs did not end in time, and that were left to themselves. */
  stuck = 0;
  readonly #lastReadAt = new Map<string, number>();
  readonly #longestPauseMs = new Map<string, number>();

  count(what: string): void {
    this.done[what] = (this.done[what] ?? 0) + 1;
  }

  countFailure(what: string, error: unknown): void {
    const name = `${what}: ${error instanceof Error ? error.name : String(error)}`;
    this.failed[name] = (this.failed[name] ?? 0) + 1;
  }

  /** The group's pauses count from here on. */
  expectReads(groupId: string): void {
    this.#lastReadAt.set(groupId, performance.now());
  }

  hasRead(groupId: string): void {
    this.#measurePause(groupId);
    this.#lastReadAt.set(groupId, performance.now());
  }

  /** By group, including a pause that lasts on. */
  get longestPausesMs(): Record<string, number> {
    for (const groupId of this.#lastReadAt.keys()) this.#measurePause(groupId);
    return Object.fromEntries(this.#longestPauseMs);
  }

  #measurePause(groupId: string): void {
    const pauseMs = performance.now() - (this.#lastReadAt.get(groupId) ?? performance.now());
    this.#longestPauseMs.set(groupId, Math.max(pauseMs, this.#longestPauseMs.get(groupId) ?? 0));
  }
}
