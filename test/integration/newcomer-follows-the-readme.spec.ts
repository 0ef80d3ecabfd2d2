import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, it } from '@jest/globals';

import { onCleanup } from '../support/cleanup.js';
import { eventually } from '../support/eventually.js';
import { codeBlocksOf } from '../support/markdown-code.js';
import { packInto } from '../support/packed-package.js';
import { describeRealKafka, startPrivateBroker } from '../support/real-kafka.js';

const run = promisify(execFile);

const PROJECT = resolve(import.meta.dirname, '../..');
const MINUTE = 60_000;

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
};

const GUIDES = ['README.md', 'docs/testing.md'];
const texts = await Promise.all(GUIDES.map((guide) => readFile(join(PROJECT, guide), 'utf8')));
const blocks = texts.flatMap(codeBlocksOf);

function readme(name: string): string {
  const block = blocks.find((each) => each.name === name);
  if (block === undefined) throw new Error(`no guide has a block named "${name}"`);
  return block.code;
}

/**
 * The quick start of README.md and the test of docs/testing.md, as they stand there, in the
 * application that Nest's generator makes.
 * Three things differ: the generator is our own copy and installs nothing by itself, the package is
 * the one built from here, and broker and port are wherever they are free.
 */
describeRealKafka('a newcomer who follows the README', () => {
  let app: string;

  beforeAll(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'newcomer-'));
    onCleanup(() => rm(directory, { recursive: true, force: true }));
    const tarball = await packInto(directory);
    app = join(directory, 'shop');

    const nest = join(PROJECT, 'node_modules/.bin/nest');
    const install = readme('install')
      .replace('npx @nestjs/cli@12 new shop', `${nest} new shop --skip-install --skip-git`)
      .replace('install nestjs-kafka-events', `install --prefer-offline ${tarball}`);
    await shell(install, directory);
    for (const { language, name, code } of blocks) {
      if (language === 'ts' && name !== '') await writeInto(app, name, code);
    }
  }, 2 * MINUTE);

  it.each<[string, () => Promise<string>]>([
    ['a real Kafka', async () => String((await startPrivateBroker()).brokers[0])],
    ['the Kafka for development', async () => `localhost:${await startDevelopmentKafka(app)}`],
  ])(
    'has an application that builds, and handles an order posted twice once, on %s',
    async (_kafka, startKafka) => {
      const broker = await startKafka();
      const port = String(await freePort());
      const at = (text: string) =>
        text.replaceAll('localhost:9092', broker).replaceAll('localhost:3000', `localhost:${port}`);
      const [build = '', start = ''] = at(readme('start')).trim().split('\n');
      await shell(build, app);
      const log = startService(start, app, { PORT: port });
      await eventually(() => log().includes('Nest application successfully started'), {
        timeoutMs: MINUTE,
        message: 'the start of the application',
      });

      const receipts = await shell(at(readme('post')), app);

      expect(receipts.match(/"eventId":"A-17"/g)).toHaveLength(2);
      const health = await eventually(async () => {
        const text = await (await fetch(`http://localhost:${port}/health`)).text();
        return text.includes('"handled":1,"duplicate":1') && text;
      });
      expect(JSON.parse(health)).toMatchObject({ status: 'up', ready: true });
      expect(linesOf(log(), '[Orders]')).toEqual([readme('log').trim()]);
      expect(linesOf(log(), ' ERROR ')).toEqual([]);
    },
    2 * MINUTE,
  );

  it('has tests that pass', async () => {
    const written = await shell('npm test', app);
    expect(written).toMatch(/orders\.spec\.ts/);
    expect(written).toMatch(/orders\.events\.spec\.ts/);
    expect(written).toMatch(/orders\.faults\.spec\.ts/);
    expect(written).toMatch(/Tests\s+5 passed/);
  }, 60_000);
});

/** Runs commands as typed; answers what they wrote. */
async function shell(commands: string, cwd: string): Promise<string> {
  const { stdout } = await run('sh', ['-ec', commands], { cwd, env: SHELL });
  return stdout;
}

/** Starts the README's own Kafka on a free port, and answers the port. */
async function startDevelopmentKafka(app: string): Promise<string> {
  const port = String(await freePort());
  await writeInto(app, 'kafka.mjs', readme('kafka.mjs').replace('9092', port));
  const log = startService(readme('kafka').trim(), app, {});
  await eventually(() => log().includes(`Kafka on 127.0.0.1:${port}`));
  return port;
}

/** Starts what keeps running; answers a function that tells all it has written so far. */
function startService(command: string, cwd: string, extra: Record<string, string>): () => string {
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
function linesOf(log: string, text: string): string[] {
  return log.split('\n').flatMap((line) => {
    const at = line.indexOf(text);
    return at < 0 ? [] : [line.slice(at).trim()];
  });
}

async function writeInto(directory: string, name: string, content: string): Promise<void> {
  const file = join(directory, name);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0), 'listening');
  const { port } = server.address() as AddressInfo;
  await once(server.close(), 'close');
  return port;
}
