import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';

const PROJECT = resolve(import.meta.dirname, '../..');
const TESTS = join(PROJECT, 'test');

/** A line that begins with `it(`, `test(`, `it.each(` and the like. */
const TEST = /^\s*(?:it|test)(?:\.\w+)*\s*[(`]/m;

it('runs every file that contains tests', async () => {
  const jest = join(PROJECT, 'node_modules/jest/bin/jest.js');
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--experimental-vm-modules', jest, '--listTests', '--json'],
    { cwd: PROJECT },
  );
  const run = new Set(JSON.parse(stdout) as string[]);

  const names = await readdir(TESTS, { recursive: true });
  const sources = names.filter((name) => /\.[cm]?[jt]sx?$/.test(name)).map((n) => join(TESTS, n));
  const forgotten: string[] = [];
  for (const file of sources) {
    if (!run.has(file) && TEST.test(await readFile(file, 'utf8'))) forgotten.push(file);
  }

  expect(run).toContain(import.meta.filename);
  expect(forgotten).toEqual([]);
});
