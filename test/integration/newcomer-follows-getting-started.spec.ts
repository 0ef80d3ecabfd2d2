import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeAll, expect, it } from '@jest/globals';

import type { HealthReport } from '../../lib/index.js';
import { onCleanup } from '../support/cleanup.js';
import { eventually } from '../support/eventually.js';
import { codeBlocksOf } from '../support/markdown-code.js';
import { freePort, linesOf, shell, startService, writeInto } from '../support/newcomer-shell.js';
import { packInto } from '../support/packed-package.js';
import { describeRealKafka, startPrivateBroker } from '../support/real-kafka.js';

const PROJECT = resolve(import.meta.dirname, '../..');
const MINUTE = 60_000;

const GUIDES = ['docs/getting-started.md', 'docs/testing.md'];
const texts = await Promise.all(GUIDES.map((guide) => readFile(join(PROJECT, guide), 'utf8')));
const blocks = texts.flatMap(codeBlocksOf);

function blockOf(name: string): string {
  const block = blocks.find((each) => each.name === name);
  if (block === undefined) throw new Error(`no guide has a block named "${name}"`);
  return block.code;
}

/**
 * docs/getting-started.md and the test of docs/testing.md, as they stand there, in the application that
 * Nest's generator makes.
 * Three things differ: the generator is our own copy and installs nothing by itself, the package is
 * the one built from here, and broker and port are wherever they are free.
 */
describeRealKafka('a newcomer who follows the guide', () => {
  let app: string;

  beforeAll(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'newcomer-'));
    onCleanup(() => rm(directory, { recursive: true, force: true }));
    const tarball = await packInto(directory);
    app = join(directory, 'shop');

    const nest = join(PROJECT, 'node_modules/.bin/nest');
    const install = blockOf('install')
      .replace('npx @nestjs/cli@12 new shop', `${nest} new shop --skip-install --skip-git`)
      .replace('install nestjs-kafka-events', `install ${tarball}`);
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
      const [build = '', start = ''] = at(blockOf('start')).trim().split('\n');
      await shell(build, app);
      const log = startService(start, app, { PORT: port });
      await eventually(() => log().includes('Nest application successfully started'), {
        timeoutMs: MINUTE,
        message: 'the start of the application',
      });

      const receipts = await shell(at(blockOf('post')), app);

      expect(receipts.match(/"eventId":"A-17"/g)).toHaveLength(2);
      const health = await eventually(async () => {
        const answer = await fetch(`http://localhost:${port}/health`);
        const report = (await answer.json()) as HealthReport;
        // Other counts may have come between the two: a commit is due twice a second.
        return report.counts.handled === 1 && report.counts.duplicate === 1 && report;
      });
      expect(health).toMatchObject({ status: 'up', ready: true });
      expect(linesOf(log(), '[Orders]')).toEqual([blockOf('log').trim()]);

      await writeInto(app, 'poison.mjs', at(blockOf('poison.mjs')));
      expect(await shell(blockOf('poison'), app)).toBe(blockOf('dead-letter'));
      expect(linesOf(log(), ' ERROR ')).toEqual([]);
    },
    2 * MINUTE,
  );

  it('has tests that pass', async () => {
    const written = await shell(blockOf('test'), app);
    expect(written).toMatch(/orders\.spec\.ts/);
    expect(written).toMatch(/orders\.events\.spec\.ts/);
    expect(written).toMatch(/orders\.faults\.spec\.ts/);
    expect(written).toMatch(/Tests\s+5 passed/);
  }, 60_000);
});

/** Starts the guide's own Kafka on a free port, and answers the port. */
async function startDevelopmentKafka(app: string): Promise<string> {
  const port = String(await freePort());
  await writeInto(app, 'kafka.mjs', blockOf('kafka.mjs').replace('9092', port));
  const log = startService(blockOf('kafka').trim(), app, {});
  await eventually(() => log().includes(`Kafka on 127.0.0.1:${port}`));
  return port;
}
