import { setTimeout as sleep } from 'node:timers/promises';

/** What a fetch answers, as far as the gate looks into it. */
export interface FetchAnswer {
  readonly responses: readonly {
    readonly partitions: readonly { readonly messages: unknown[] }[];
  }[];
}

/** The answer to a fetch of which nothing is to be handed out. */
export const NOTHING_FETCHED: FetchAnswer = { responses: [] };

/**
 * Lets through only what was fetched under the current assignment.
 *
 * kafkajs has one fetcher per broker, and may rejoin inside one of them while the others go on. An
 * answer that was asked for before a rejoin starts at a position of the old assignment: handing it
 * out for a partition that was lost and gained again would jump over records. So the gate closes
 * before each join and opens, a round further, when the assignment has arrived; a fetch begun in
 * another round answers nothing, and what it brought earlier but nobody took is emptied. kafkajs
 * starts each round at the committed offsets, so what is withheld comes again.
 */
export class FetchGate {
  private round = 0;
  private open = false;
  private shutForGood = false;
  private readonly begunIn = new Map<string, number>();
  private readonly waiting = new Map<string, readonly unknown[][]>();

  /** @param pauseMs how long a fetch takes that is not let through. */
  constructor(private readonly pauseMs: number) {}

  close(): void {
    this.open = false;
    this.emptyWaiting();
  }

  openNextRound(): void {
    this.round++;
    this.open = !this.shutForGood;
    this.emptyWaiting();
  }

  /** Closes and never opens again. */
  shut(): void {
    this.shutForGood = true;
    this.close();
  }

  /** A fetcher is about to read its positions and then to fetch from this broker. */
  beginFetch(nodeId: string): void {
    this.begunIn.set(nodeId, this.round);
    // A fetcher comes back only when all it fetched before has been taken.
    this.waiting.delete(nodeId);
  }

  async fetch(nodeId: string, send: () => Promise<FetchAnswer>): Promise<FetchAnswer> {
    const round = this.begunIn.get(nodeId);
    // Waiting, or kafkajs would ask again at once, for as long as a rejoin takes.
    if (!this.open) await sleep(this.pauseMs);
    if (!this.lets(round)) return NOTHING_FETCHED;
    try {
      const answer = await send();
      if (!this.lets(round)) return NOTHING_FETCHED;
      this.waiting.set(nodeId, messagesOf(answer));
      return answer;
    } catch (error) {
      // kafkajs would mend the position of the new assignment for an error about the old one.
      if (!this.lets(round)) return NOTHING_FETCHED;
      throw error;
    }
  }

  /** Whether a batch is to be handed out; `raw` is its partition's `messages` in the answer. */
  admits(raw: readonly unknown[]): boolean {
    return this.open && raw.length > 0;
  }

  private lets(round: number | undefined): boolean {
    return this.open && round === this.round;
  }

  /**
   * kafkajs judges by this very array whether a batch of control records alone is to be skipped, and
   * would skip it by moving the position of the new assignment.
   */
  private emptyWaiting(): void {
    for (const arrays of this.waiting.values()) for (const raw of arrays) raw.length = 0;
    this.waiting.clear();
  }
}

function messagesOf({ responses }: FetchAnswer): unknown[][] {
  return responses.flatMap(({ partitions }) => partitions.map(({ messages }) => messages));
}
