import { execFile } from 'node:child_process';
import { access, cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { onCleanup } from '../../support/cleanup.js';
import {
  connectedProducer,
  kafkaJs,
  KafkaJsMember,
  startEmbeddedKafka,
} from '../../support/embedded-kafka.js';
import { eventually } from '../../support/eventually.js';

const run = promisify(execFile);

const FIXTURE = join(import.meta.dirname, 'fixtures/platformatic');
/** Without what jest and `npm test` put there, which would reach the other Node. */
const ENV = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(NODE_|JEST_|npm_(lifecycle|package))/.test(name),
  ),
);

interface ReadRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** It needs a newer Node than we do, so it is installed and run beside us. */
describe('@platformatic/kafka on the embedded broker', () => {
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'platformatic-'));
    onCleanup(() => rm(directory, { recursive: true, force: true }));
    await cp(FIXTURE, directory, { recursive: true });
    const install = ['ci', '--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
    await run('npm', install, { cwd: directory, env: ENV });
  }, 120_000);

  it('creates a topic, produces, and consumes in a group of two, from kafkajs and for kafkajs', async () => {
    const kafka = await startEmbeddedKafka({ topics: [{ topic: 'from-kafkajs' }] });
    const producer = await connectedProducer(kafkaJs(kafka.brokers));
    const message = { key: 'k', value: 'v', headers: { nr: 'kafkajs' } };
    await producer.send({ topic: 'from-kafkajs', messages: [message] });

    const broker = String(kafka.brokers[0]);
    const args = ['round-trip.mjs', broker, 'from-platformatic', 'from-kafkajs', 'shop'];
    const node = await newerNode(directory);
    const { stdout } = await run(node, args, { cwd: directory, env: ENV, timeout: 20_000 });
    const [first = [], second = []] = JSON.parse(stdout) as ReadRecord[][];

    const records = [...first, ...second];
    const theirs = records.filter(({ topic }) => topic === 'from-platformatic');
    expect(theirs).toHaveLength(40);
    expect(
      new Set(theirs.map(({ key, value, headers }) => `${key} ${value} ${headers.nr ?? ''}`)),
    ).toEqual(new Set(indexes(40).map((i) => `key-${i} value-${i} ${i}`)));
    expect(records.filter(({ topic }) => topic === 'from-kafkajs')).toMatchObject([message]);
    // Neither has read what was given to the other one.
    const partitionsOf = (read: ReadRecord[]) =>
      read.map((each) => `${each.topic} ${each.partition}`);
    expect(partitionsOf(first).filter((each) => partitionsOf(second).includes(each))).toEqual([]);
    for (const read of [first, second]) expect(read).not.toHaveLength(0);

    expect(kafka.group('shop')).toMatchObject({ state: 'Empty', members: [] });
    const committed = kafka.group('shop')?.offsets.get('from-platformatic') ?? new Map();
    expect([...committed].reduce((sum, [, { offset }]) => sum + Number(offset), 0)).toBe(40);

    const reader = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'other', ['from-platformatic']);
    await eventually(() => reader.values.length === 40);
    expect(new Set(reader.values)).toEqual(new Set(indexes(40).map((i) => `value-${i}`)));
  }, 60_000);
});

/** The Node installed along, or our own where none is published for the platform and it is new enough. */
async function newerNode(directory: string): Promise<string> {
  const installed = join(
    directory,
    `node_modules/node-${process.platform}-${process.arch}/bin/node`,
  );
  try {
    await access(installed);
    return installed;
  } catch (error) {
    const [major = 0] = process.versions.node.split('.').map(Number);
    if (major >= 25) return process.execPath;
    throw new Error(`@platformatic/kafka needs Node 24.6 or later: ${installed} is missing`, {
      cause: error,
    });
  }
}

function indexes(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}
