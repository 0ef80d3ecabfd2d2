import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';

import { InvalidOptionsError } from '../../lib/kafka-events.errors.js';
import type { KafkaEventsOptions } from '../../lib/kafka-events.options.js';
import { DEFAULTS } from '../../lib/options/defaults.js';
import { resolveOptions } from '../../lib/resolve-options.js';
import { codeBlocksOf, filesOf, tableRowsOf } from '../support/markdown-code.js';
import { onCleanup } from '../support/cleanup.js';

const run = promisify(execFile);

const PROJECT = resolve(import.meta.dirname, '../..');
const guides = (await readdir(join(PROJECT, 'docs'))).map((name) => `docs/${name}`);
const FILES = ['README.md', 'lib/README.md', 'sample-app/README.md', 'CONTRIBUTING.md', ...guides];
const texts = new Map(
  await Promise.all(
    FILES.map(async (file) => [file, await readFile(join(PROJECT, file), 'utf8')] as const),
  ),
);
const map = textOf('lib/README.md');
const reference = textOf('docs/reference.md');

function textOf(file: string): string {
  const text = texts.get(file);
  if (text === undefined) throw new Error(`there is no ${file}`);
  return text;
}

describe('the README and the guides', () => {
  it('have TypeScript that compiles under the settings of this repository', async () => {
    const directory = await mkdtemp(join(PROJECT, 'node_modules/.cache/readme-'));
    onCleanup(() => rm(directory, { recursive: true, force: true }));
    await writeFile(join(directory, 'package.json'), '{ "type": "module" }');
    await writeFile(
      join(directory, 'tsconfig.json'),
      JSON.stringify({ extends: join(PROJECT, 'tsconfig.json'), include: ['**/*.ts'] }),
    );
    const markdown = ['README.md', ...guides].map(textOf).join('\n');
    const unnamed = codeBlocksOf(markdown)
      .filter(({ language, name }) => language === 'ts' && name === '')
      .map(({ code }, index) => ({ file: `src/snippet-${index}.ts`, code }));
    // Tests need what the newcomer's application has, and are run in there.
    const named = filesOf(markdown).filter(({ file }) => !file.endsWith('.spec.ts'));
    const snippets = [...unnamed, ...named];
    for (const { file, code } of snippets) {
      await mkdir(join(directory, dirname(file)), { recursive: true });
      await writeFile(join(directory, file), code);
    }

    const tsc = join(PROJECT, 'node_modules/typescript/bin/tsc');
    const checked = await run(process.execPath, [tsc, '-p', directory, '--listFiles']).catch(
      (error: unknown) => error as { readonly stdout: string },
    );

    expect(checked.stdout.split('\n').filter((line) => line.includes('error TS'))).toEqual([]);
    const files = checked.stdout.split('\n').filter((file) => file.startsWith(directory));
    expect(files).toHaveLength(snippets.length);
  }, 60_000);

  it('list every option of the module, and no other', () => {
    const listed = optionRows().map(([option]) => option);
    expect([...listed].sort()).toEqual(optionNames().sort());
  });

  it('give the options the defaults they have', () => {
    const stated = optionRows().flatMap(([option = '', text]) => {
      const value = defaultOf(option);
      return value === undefined ? [] : [{ option, text, expected: inWords(option, value) }];
    });
    expect(stated.length).toBeGreaterThan(30);
    expect(stated.filter(({ text, expected }) => text !== expected)).toEqual([]);
  });

  it('name every code of an error', async () => {
    const source = await readFile(join(PROJECT, 'lib/errors/kafka-events-error.ts'), 'utf8');
    const union = /type KafkaEventsErrorCode =(.*?);/s.exec(source)?.[1] ?? '';
    const codes = [...union.matchAll(/'(\w+)'/g)].map(([, code]) => `\`${code}\``);
    const listed = sectionOf(reference, 'Errors').map(([code]) => code);
    expect(listed).toEqual(codes);
  });
});

describe.each([...texts])('%s', (file, text) => {
  it('links to files and headings that exist', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)/g)];
    const broken = links.filter(([, path = '', heading]) => {
      const target = path === '' ? file : join(dirname(file), path);
      if (!existsSync(join(PROJECT, target))) return true;
      return heading !== undefined && !headingsOf(texts.get(target) ?? '').includes(heading);
    });
    expect(broken.map(([link]) => link)).toEqual([]);
  });
});

describe('the map of the code', () => {
  it('names tests that exist', async () => {
    const guards = [...map.matchAll(/`(test\/[\w./-]+\.spec\.ts)`: “([^”]+)”/g)];
    expect(guards.length).toBeGreaterThan(20);
    for (const [, file = '', name = ''] of guards) {
      const spec = await readFile(join(PROJECT, file), 'utf8');
      expect({ file, name, found: spec.includes(name) }).toEqual({ file, name, found: true });
    }
  });

  it('names files that exist', async () => {
    const files = [...map.matchAll(/`((?:[\w-]+\/)+[\w.-]+\.ts)`/g)].map(([, file = '']) => file);
    expect(files.length).toBeGreaterThan(20);
    for (const file of files.filter((each) => !each.startsWith('test/'))) {
      await access(join(PROJECT, 'lib', file));
    }
  });
});

/** What links call the headings of a text. */
function headingsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

function optionRows(): string[][] {
  const rows = tableRowsOf(reference.slice(reference.indexOf('<!-- options -->')));
  const end = rows.findIndex(([name]) => name === '`id`');
  const options = rows.slice(0, end).filter(([name = '']) => name.startsWith('`'));
  return options.map(([name = '', ...rest]) => [name.replaceAll('`', ''), ...rest]);
}

/** The rows of the first table of a section, without its head. */
function sectionOf(markdown: string, title: string): string[][] {
  const section = markdown.slice(markdown.indexOf(`\n## ${title}\n`) + 1).split('\n## ')[0] ?? '';
  return tableRowsOf(section).slice(2);
}

const SECTIONS = [
  'consumer',
  'producer',
  'idempotency',
  'retry',
  'deadLetter',
  'outbox',
  'nestTransport',
  'outage',
  'crashLoop',
  'retryTopic',
  'directDelivery',
  'hybrid',
  'sync',
  'legacy',
  'views',
];
/** These may also be `false`, and stand for themselves. */
const SWITCHES = ['outage', 'crashLoop'];
const HIDDEN = ['clock', ...SECTIONS.filter((name) => !SWITCHES.includes(name))];

/** Every option there is, by its path: what a refusal of an unknown one says there are. */
function optionNames(): string[] {
  const unknown = { thereIsNoSuchOption: 1 };
  const nested = Object.fromEntries(SECTIONS.map((name) => [name, unknown]));
  const problems = problemsOf({ ...unknown, ...nested } as KafkaEventsOptions);
  return problems.flatMap(({ option, problem }) => {
    const names = /there are (.*)$/.exec(problem)?.[1]?.split(', ') ?? [];
    const path = option.replace('thereIsNoSuchOption', '');
    const shown = names.filter((name) => path !== '' || !HIDDEN.includes(name));
    return shown.map((name) => path + name);
  });
}

function problemsOf(options: KafkaEventsOptions): InvalidOptionsError['problems'] {
  try {
    resolveOptions(options, {}, () => {
      throw new Error('nothing connects here');
    });
  } catch (error) {
    if (error instanceof InvalidOptionsError) return error.problems;
    throw error;
  }
  throw new Error('nothing was refused');
}

/** The default of an option; undefined where it is a function, or not in the table of defaults. */
function defaultOf(option: string): unknown {
  const { maxBufferedBytes, group, ...rest } = DEFAULTS;
  const defaults: unknown = { ...rest, consumer: { ...group, maxBufferedBytes } };
  const value = option
    .split('.')
    .reduce<unknown>(
      (owner, name) => (owner as Readonly<Record<string, unknown>> | undefined)?.[name],
      defaults,
    );
  return typeof value === 'function' || typeof value === 'object' ? undefined : value;
}

const UNITS: readonly (readonly [
  pattern: RegExp,
  units: readonly (readonly [number, string])[],
])[] = [
  [
    /Ms$/,
    [
      [60_000, 'min'],
      [1000, 's'],
      [1, 'ms'],
    ],
  ],
  [
    /Bytes/,
    [
      [1024 * 1024, 'MiB'],
      [1, 'bytes'],
    ],
  ],
];

/** A default as the reference writes it: `'verify'`, 30 s, 64 MiB, 10,000. */
function inWords(option: string, value: unknown): string {
  if (typeof value === 'string') return `\`'${value}'\``;
  if (typeof value !== 'number') return `\`${String(value)}\``;
  if (!Number.isFinite(value)) return 'no limit';
  const [, units = []] = UNITS.find(([pattern]) => pattern.test(option)) ?? [];
  // A minute alone reads better in seconds.
  const unit = units.find(([size]) => value >= size * (size === 60_000 ? 2 : 1));
  return unit === undefined ? value.toLocaleString('en') : `${value / unit[0]} ${unit[1]}`;
}
