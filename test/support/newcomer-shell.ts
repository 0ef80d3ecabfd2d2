import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

import { onCleanup } from './cleanup.js';

const run = promisify(execFile);

const DAY = 24 * 3_600_000;

/**
 * Packages of one project are released one after another, and a registry's copy may for a while have
 * one of them that needs another which is not there yet. What is two weeks old fits together.
 */
const SETTLED = new Date(Date.now() - 14 * DAY).toISOString();

/** Of the environment, what a newcomer's shell would have: nothing that jest or `npm test` put there. */
const SHELL = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) =>
        !/^(NODE_|JEST_|npm_(lifecycle|package|config_local)|INIT_CWD|KAFKA_|FORCE_COLOR)/.test(
          name,
        ),
    ),
  ),
  NO_COLOR: '1',
  npm_config_before: SETTLED,
};

/** Runs commands as typed; answers what they wrote. */
export async function shell(commands: string, cwd: string): Promise<string> {
  const { stdout } = await run('sh', ['-ec', commands], { cwd, env: SHELL });
  return stdout;
}

/** Starts what keeps running; answers a function that tells all it has written so far. */
export function startService(
  command: string,
  cwd: string,
  extra: Record<string, string>,
): () => string {
  const env = { ...SHELL, ...extra };
  // A process group of its own, so that the signal reaches what npm starts.
  const service = spawn('sh', ['-c', command], { cwd, env, detached: true });
  const exited = once(service, 'close');
  let written = '';
  for (const stream of [service.stdout, service.stderr]) {
    stream.on('data', (data: Buffer) => (written += data.toString()));
  }
  onCleanup(async () => {
    if (service.pid === undefined) return;
    try {
      process.kill(-service.pid, 'SIGTERM');
    } catch {
      // It has ended by itself; the log says why.
    }
    await exited;
  });
  return () => {
    if (service.exitCode !== null) throw new Error(`"${command}" ended:\n${written}`);
    return written;
  };
}

/** The lines of a Nest log with that text, from it on. */
export function linesOf(log: string, text: string): string[] {
  return log.split('\n').flatMap((line) => {
    const at = line.indexOf(text);
    return at < 0 ? [] : [line.slice(at).trim()];
  });
}

export async function writeInto(directory: string, name: string, content: string): Promise<void> {
  const file = join(directory, name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0), 'listening');
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return port;
}
