import { sleep, type Clock } from '../../contracts/clock.js';
import { toError } from '../../kafka-events.errors.js';

/**
 * The time that a record may be waited for inside `eachMessage`: kafkajs is held up meanwhile, so
 * it sends heartbeats, and ends in good time for the session.
 */
export class HeartbeatWait {
  readonly #until: number;
  /** What a heartbeat was refused with. */
  #refusal: Error | null = null;

  constructor(
    private readonly clock: Clock,
    private readonly heartbeat: () => Promise<void>,
    private readonly heartbeatIntervalMs: number,
    budgetMs: number,
  ) {
    this.#until = clock.now() + budgetMs;
  }

  /**
   * Waits; false, at once, when there is not that much time left.
   *
   * @throws what the heartbeat rejects with: the group rebalances, and kafkajs must learn of it.
   */
  async sleep(ms: number): Promise<boolean> {
    const wakeAt = this.clock.now() + ms;
    if (wakeAt > this.#until) return false;
    for (let now = this.clock.now(); now < wakeAt; now = this.clock.now()) {
      await sleep(this.clock, Math.min(wakeAt - now, this.heartbeatIntervalMs));
      await this.#beat();
    }
    return true;
  }

  /** Whether an error is the heartbeat's own: nobody's failure, and kafkajs is to have it as it is. */
  isRefusal(error: Error): boolean {
    return error === this.#refusal;
  }

  async #beat(): Promise<void> {
    try {
      await this.heartbeat();
    } catch (thrown) {
      this.#refusal = toError(thrown);
      throw this.#refusal;
    }
  }
}
