import { beforeAll, expect, it } from '@jest/globals';
import { onCleanup } from '../support/cleanup.js';
import { describeWithCommand } from '../support/describe-with-command.js';
import { KafkaCluster } from '../support/kafka-cluster.js';
import { describeRealKafka } from '../support/real-kafka.js';
import { describeOutcome, problemsOf } from './report.js';
import { runSchedule } from './run-schedule.js';
import { CONSUMERS, PRODUCERS, SCENARIOS } from './scenarios.js';

const MINUTES = 1;
/** Minutes of load, and as many again to start, to see the last faults through and to drain. */
const PATIENCE_MS = 10 * 60_000;

describeRealKafka('a service on a cluster in which everything breaks', () => {
  describeWithCommand(['redis-server', 'kcat'], 'with its claims in Redis', () => {
    let cluster: KafkaCluster;
    beforeAll(async () => {
      cluster = await KafkaCluster.start([...CONSUMERS, ...PRODUCERS]);
      onCleanup(() => cluster.stop());
    }, 120_000);

    it.each([1, 2, 3])(
      'loses nothing, repeats nothing completed, keeps order, dead-letters poison alone (seed %d)',
      async (seed) => {
        const schedule = SCENARIOS.chaos(seed, MINUTES);
        const outcome = await runSchedule(schedule, cluster);
        process.stdout.write(describeOutcome(schedule, outcome));
        expect(problemsOf(outcome)).toEqual([]);
        // A run in which little happened would prove little.
        expect(outcome.happened.length).toBeGreaterThan(10);
        expect(outcome.effects).toBeGreaterThan(1_000);
        expect(outcome.poison).toBeGreaterThan(10);
        // Nor would one in which the ledger had not been told what completed.
        expect(outcome.unmarked).toBeLessThan(outcome.effects / 100);
      },
      PATIENCE_MS,
    );
  });
});
