import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const run = promisify(execFile);

const PROJECT = resolve(import.meta.dirname, '../..');
const CACHE = join(PROJECT, 'node_modules/.cache');
const RECORDER = pathToFileURL(join(import.meta.dirname, 'record-imports.mjs')).href;

interface Manifest {
  readonly name: string;
  readonly exports: Record<string, unknown>;
  readonly dependencies: Record<string, string>;
  readonly peerDependencies: Record<string, string>;
  readonly peerDependenciesMeta: Record<string, { optional?: boolean }>;
  readonly devDependencies: Record<string, string>;
}

const manifest = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8')) as Manifest;
const isOptional = (peer: string) => manifest.peerDependenciesMeta[peer]?.optional === true;
const required = [
  ...Object.keys(manifest.dependencies),
  ...Object.keys(manifest.peerDependencies).filter((peer) => !isOptional(peer)),
];
const entryPoints = Object.keys(manifest.exports)
  .filter((subpath) => subpath !== './package.json')
  .map((subpath) => manifest.name + subpath.slice(1));
/** Entry points that exist for the sake of an optional peer are the only ones to load it. */
const withoutPeers = [manifest.name, `${manifest.name}/testing`];

/** jest links modules in its own way: only plain Node shows how users' processes load them. */
describe('the built package in plain Node', () => {
  let directory: string;

  beforeAll(async () => {
    // Inside node_modules, where Node finds the dependencies, and apart from `dist`, which others
    // may be reading. Types are left to the type check.
    await mkdir(CACHE, { recursive: true });
    directory = await mkdtemp(join(CACHE, 'built-package-'));
    const tsc = join(PROJECT, 'node_modules/typescript/bin/tsc');
    const build = ['-p', 'tsconfig.build.json', '--noCheck', '--declaration', 'false'];
    await run(process.execPath, [tsc, ...build, '--outDir', join(directory, 'dist')], {
      cwd: PROJECT,
    });
    await copyFile(join(PROJECT, 'package.json'), join(directory, 'package.json'));
  }, 60_000);

  afterAll(() => rm(directory, { recursive: true, force: true }));

  /** Runs `script` as a module of the built package, which may import it by its own name. */
  async function node(...args: string[]): Promise<string> {
    return (await run(process.execPath, args, { cwd: directory })).stdout;
  }

  function importNames(entryPoint: string): Promise<string> {
    const script = `console.log(Object.keys(await import('${entryPoint}')).join())`;
    return node('--input-type=module', '--eval', script);
  }

  it.each(entryPoints)('imports %s', async (entryPoint) => {
    await expect(importNames(entryPoint)).resolves.toBeDefined();
  });

  // CommonJS apps load us by require(esm), which refuses a module that awaits at its top level.
  it.each(entryPoints)('requires %s from CommonJS', async (entryPoint) => {
    const script = `console.log(Object.keys(require('${entryPoint}')).join())`;
    const names = await node('--input-type=commonjs', '--eval', script);
    expect(names).toBe(await importNames(entryPoint));
  });

  it.each(withoutPeers)('loads with %s only packages that are always there', async (entryPoint) => {
    const script = `await import('${entryPoint}')`;
    const file = join(directory, `imports-${entryFile(entryPoint).replace('/', '-')}.jsonl`);
    const flags = ['--import', RECORDER, '--input-type=module', '--eval', script];
    await run(process.execPath, flags, {
      cwd: directory,
      env: { ...process.env, RECORD_IMPORTS_TO: file },
    });
    const imports = (await readFile(file, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { url: string; importer?: string });
    const ours = pathToFileURL(join(directory, 'dist')).href;
    const packagesOf = (of: typeof imports) => [
      ...new Set(of.flatMap(({ url }) => (url.startsWith(ours) ? [] : packageName(url)))),
    ];

    expect(imports.map(({ url }) => url)).toContain(`${ours}/${entryFile(entryPoint)}`);
    const byUs = packagesOf(imports.filter(({ importer }) => importer?.startsWith(ours)));
    expect(byUs.filter((name) => !required.includes(name))).toEqual([]);
    const optional = [
      ...Object.keys(manifest.peerDependencies),
      ...Object.keys(manifest.devDependencies),
    ].filter((name) => !required.includes(name));
    expect(packagesOf(imports).filter((name) => optional.includes(name))).toEqual([]);
  });
});

function packageName(url: string): string[] {
  const name = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
  return name === undefined ? [] : [name];
}

function entryFile(entryPoint: string): string {
  return `${entryPoint.slice(manifest.name.length + 1)}/index.js`.replace(/^\//, '');
}
