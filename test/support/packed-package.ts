import { execFile } from 'node:child_process';
import { cp, mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const PROJECT = resolve(import.meta.dirname, '../..');

/** Builds the package and packs it as `npm publish` would; answers the file. */
export async function packInto(directory: string): Promise<string> {
  const staging = join(directory, 'package');
  await mkdir(staging);
  for (const file of ['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE']) {
    await cp(join(PROJECT, file), join(staging, file));
  }
  await cp(join(PROJECT, 'proto'), join(staging, 'proto'), { recursive: true });
  const tsc = join(PROJECT, 'node_modules/typescript/bin/tsc');
  const build = ['-p', 'tsconfig.build.json', '--outDir', join(staging, 'dist')];
  await run(process.execPath, [tsc, ...build], { cwd: PROJECT });
  const { stdout } = await run('npm', ['pack', '--silent'], { cwd: staging });
  return join(staging, stdout.trim());
}
