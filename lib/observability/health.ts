import { Alarm } from '../contracts/alarm.js';
import type { Clock } from '../contracts/clock.js';
import { NotReadyError, toError } from '../kafka-events.errors.js';
import { missingOf, problemsOf } from './health-problems.js';
import type { HealthFacts, HealthReport } from './health-report.js';

/** How long `whenReady` waits unless told otherwise, and how often it looks. */
const [READY_MS, LOOK_MS] = [30_000, 25];

export interface WhenReadyOptions {
  /** Default 30,000. */
  readonly timeoutMs?: number;
  /** Ends the wait. */
  readonly signal?: AbortSignal;
}

/** The state of publisher and consumers as a plain object; inject it and call `check()`. */
export class KafkaEventsHealth {
  /** @internal Made by the module. */
  constructor(
    private readonly clock: Clock,
    private readonly look: () => HealthFacts,
  ) {}

  check(): HealthReport {
    const facts = this.look();
    const { parts, startProblem } = facts;
    const isDown = startProblem !== null || parts.groups.some(({ state }) => state === 'failed');
    const problems = problemsOf(facts);
    return {
      status: isDown ? 'down' : problems.length > 0 ? 'degraded' : 'up',
      // Everything that fails here is retried by itself: a restart loses work and mends nothing.
      live: parts.groups.every(({ state }) => state !== 'stopped'),
      ready: missingOf(facts).length === 0,
      problems,
      ...parts,
    };
  }

  /**
   * Resolves when the process takes part: every group of handlers has its assignment, and every view can be
   * read. It does not watch over it: a rebalance may come a moment later.
   *
   * @throws NotReadyError, which says what is missing, when the time is up or the application shuts down;
   * whatever `signal` was aborted with.
   */
  async whenReady({ timeoutMs = READY_MS, signal }: WhenReadyOptions = {}): Promise<void> {
    const startedAt = this.clock.now();
    const alarm = new Alarm(this.clock);
    const ring = (): void => {
      alarm.ring();
    };
    signal?.addEventListener('abort', ring);
    try {
      for (;;) {
        if (signal?.aborted === true) throw toError(signal.reason);
        const facts = this.look();
        const missing = missingOf(facts);
        if (missing.length === 0) return;
        const waitedMs = this.clock.now() - startedAt;
        if (facts.stopping) missing.push('the application is shutting down');
        if (facts.stopping || waitedMs >= timeoutMs) throw new NotReadyError(missing, waitedMs);
        await alarm.wait(Math.min(LOOK_MS, timeoutMs - waitedMs));
      }
    } finally {
      signal?.removeEventListener('abort', ring);
    }
  }
}
