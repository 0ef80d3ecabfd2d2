/**
 * Plays seeds, each for itself, in a Node whose time, network and chance are simulated:
 *
 *     seeds.child.ts FIRST LAST STEP     every STEPth seed from FIRST to LAST, in one line of JSON each
 *     seeds.child.ts SEED                one, with its plan and its story
 *
 * With HANDLING in the environment all plans are of that kind.
 */
import { createHash } from 'node:crypto';
import { SimulatedNode } from '../../simulation/simulated-node.js';
import type { SeedLine } from './seed-line.js';

// Before anything of the product is loaded.
const node = SimulatedNode.install();
const { planOf } = await import('./plan.js');
const { Scenario } = await import('./scenario.js');
const { HANDLING_KINDS } = await import('./handling.js');

const [first = 1, last = first, step = 1] = process.argv.slice(2).map(Number);
const kind = HANDLING_KINDS.find((each) => each === process.env.HANDLING);
const stray: unknown[] = [];
process.on('unhandledRejection', (reason) => stray.push(reason));

for (let seed = first; seed <= last; seed += step) {
  const plan = planOf(seed, kind);
  const { story, violations, ...report } = await Scenario.play(node, plan);
  const rejections = stray.splice(0).map((reason) => `nobody handled ${String(reason)}`);
  const digest = createHash('sha256').update(story.join('\n')).digest('base64');
  const line: SeedLine = { seed, digest, ...report, violations: [...violations, ...rejections] };
  if (first === last) process.stdout.write(`plan ${JSON.stringify(plan)}\n${story.join('\n')}\n`);
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
process.exit();
