import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';

import { EmbeddedKafka } from '../../lib/testing/index.js';
import { onCleanup } from '../support/cleanup.js';
import { eventually } from '../support/eventually.js';
import { filesOf } from '../support/markdown-code.js';
import { freePort, linesOf, shell, startService, writeInto } from '../support/newcomer-shell.js';
import { packInto } from '../support/packed-package.js';

const PROJECT = resolve(import.meta.dirname, '../..');
const MINUTE = 60_000;

/** The application that Nest's generator makes when asked for CommonJS, with the code of the guides. */
describe('a newcomer whose application is CommonJS', () => {
  let app: string;

  beforeAll(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'commonjs-'));
    onCleanup(() => rm(directory, { recursive: true, force: true }));
    const tarball = await packInto(directory);
    app = join(directory, 'shop');
    // What `nest new` runs once its questions are answered; without a terminal it answers ESM.
    const schematics = join(PROJECT, 'node_modules/.bin/schematics');
    const options = '--name=shop --type=cjs --language=ts --package-manager=npm --observe=false';
    await shell(`${schematics} @nestjs/schematics:application ${options}`, directory);
    const packages = `${tarball} @nestjs/microservices class-validator class-transformer`;
    await shell(`npm install --no-audit --no-fund ${packages}`, app);

    const guides = ['docs/getting-started.md', 'docs/testing.md'];
    const texts = await Promise.all(guides.map((guide) => readFile(join(PROJECT, guide), 'utf8')));
    for (const { file, code } of texts.flatMap(filesOf)) {
      // The generator's own: CommonJS has no top-level `await`.
      if (file !== 'src/main.ts') await writeInto(app, file, code);
    }
  }, 3 * MINUTE);

  it(
    'has an application that builds to `require`, and handles an order posted twice once',
    async () => {
      const kafka = await EmbeddedKafka.start();
      onCleanup(() => kafka.stop());
      await shell('npm run build', app);
      expect(await readFile(join(app, 'dist/app.module.js'), 'utf8')).toContain(
        'require("nestjs-kafka-events")',
      );
      const port = String(await freePort());
      const log = startService('npm run start:prod', app, {
        PORT: port,
        KAFKA_BROKERS: kafka.brokers.join(','),
      });
      await eventually(() => log().includes('Nest application successfully started'), {
        timeoutMs: MINUTE,
        message: 'the start of the application',
      });
      const post = () =>
        fetch(`http://localhost:${port}/orders`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ orderId: 'A-17', totalCents: 1999 }),
        });

      expect((await Promise.all([post(), post()])).map(({ status }) => status)).toEqual([201, 201]);

      await eventually(async () => {
        const text = await (await fetch(`http://localhost:${port}/health`)).text();
        // Other counts may stand between the two: a commit is due twice a second.
        return text.includes('"handled":1') && text.includes('"duplicate":1');
      });
      expect(linesOf(log(), '[Orders]')).toHaveLength(1);
      expect(linesOf(log(), ' ERROR ')).toEqual([]);
    },
    2 * MINUTE,
  );

  it(
    'has tests that pass, with the configuration of the guide',
    async () => {
      const [config] = filesOf(await readFile(join(PROJECT, 'docs/faq.md'), 'utf8'));
      expect(config?.file).toBe('commonjs/jest.config.ts');
      await writeInto(app, 'jest.config.ts', config?.code ?? '');

      const written = await shell('npm test 2>&1', app);

      expect(written).toMatch(/Tests:\s+5 passed, 5 total/);
    },
    2 * MINUTE,
  );
});
