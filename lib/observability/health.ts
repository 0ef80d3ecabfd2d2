import { missingOf, problemsOf } from './health-problems.js';
import type { HealthFacts, HealthReport } from './health-report.js';

/** The state of publisher and consumers as a plain object; inject it and call `check()`. */
export class KafkaEventsHealth {
  /** @internal Made by the module. */
  constructor(private readonly look: () => HealthFacts) {}

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
}
