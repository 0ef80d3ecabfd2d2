import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';

import { onCleanup } from '../support/cleanup.js';
import { packInto } from '../support/packed-package.js';

const run = promisify(execFile);

/** It has 440 kB with a Kafka for tests inside: what makes it grow by half is looked at. */
const MAX_BYTES = 650_000;

describe('the package as it is published', () => {
  let tarball: string;
  let files: string[];

  beforeAll(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tarball-'));
    onCleanup(() => rm(directory, { recursive: true, force: true }));
    tarball = await packInto(directory);
    const { stdout } = await run('tar', ['-tzf', tarball]);
    files = stdout.trim().split('\n').sort();
  }, 60_000);

  it('holds what was compiled, a contract and four files to read, nothing else', () => {
    const compiled = /^package\/dist\/[\w./-]+\.(js|d\.ts)$/;
    expect(files.filter((file) => !compiled.test(file))).toEqual(
      [
        'CHANGELOG.md',
        'LICENSE',
        'README.md',
        'package.json',
        'proto/kafka_events/v1/event_delivery.proto',
      ].map((file) => `package/${file}`),
    );
    expect(files.filter((file) => file.includes('.spec.'))).toEqual([]);
  });

  it('holds every file that it says it exports', async () => {
    const manifest = await readFile(resolve(import.meta.dirname, '../../package.json'), 'utf8');
    const { exports } = JSON.parse(manifest) as {
      exports: Record<string, string | Record<string, string>>;
    };
    const targets = Object.values(exports).flatMap((target) =>
      typeof target === 'string' ? [target] : Object.values(target),
    );
    expect(targets.length).toBeGreaterThan(5);
    for (const target of targets) expect(files).toContain(join('package', target));
  });

  it('is small', async () => {
    expect((await stat(tarball)).size).toBeLessThan(MAX_BYTES);
  });
});
