/**
 * `npm run release`: makes the next release from what CHANGELOG.md says is unreleased, as a commit and
 * a tag. Pushing the tag publishes it, from CI and with provenance (.github/workflows/release.yml).
 *
 *     npm run release -- --dry-run     says what it would be
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

import { planRelease, provenanceProblem } from './release-plan.js';

interface Manifest {
  readonly version: string;
  readonly repository?: unknown;
  readonly publishConfig?: { readonly provenance?: boolean };
}

const CHANGELOG = 'CHANGELOG.md';

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: 'inherit' });
}

function output(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8' }).trim();
}

const { 'dry-run': isDryRun } = parseArgs({
  options: { 'dry-run': { type: 'boolean', default: false } },
}).values;
const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const today = new Date().toISOString().slice(0, 10);
const { version, changelog } = planRelease(
  readFileSync(CHANGELOG, 'utf8'),
  manifest.version,
  today,
);
const problems = [
  output('git', 'status', '--porcelain') === '' ? null : 'the working tree is not clean',
  output('git', 'branch', '--show-current') === 'main' ? null : 'the branch is not main',
  output('git', 'tag', '--list', `v${version}`) === '' ? null : `the tag v${version} exists`,
  provenanceProblem(manifest),
].filter((problem) => problem !== null);

process.stdout.write(`${manifest.version} -> ${version}\n`);
for (const problem of problems) process.stdout.write(`cannot release: ${problem}\n`);
if (problems.length > 0) process.exit(1);
if (!isDryRun) {
  run('npm', 'run', 'build');
  run('npm', 'run', 'check:package');
  writeFileSync(CHANGELOG, changelog);
  if (version !== manifest.version) run('npm', 'version', version, '--no-git-tag-version');
  run('git', 'commit', '--all', '--message', `Release ${version}`);
  run('git', 'tag', '--annotate', `v${version}`, '--message', `Release ${version}`);
  process.stdout.write(`Publish it with: git push --follow-tags\n`);
}
