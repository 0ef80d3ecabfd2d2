import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { expect, it } from '@jest/globals';
import type { EmbeddedKafka } from '../../../lib/testing/index.js';
import { onCleanup } from '../../support/cleanup.js';
import { describeWithCommand } from '../../support/describe-with-command.js';
import { kafkaJs, KafkaJsMember, startEmbeddedKafka } from '../../support/embedded-kafka.js';
import { eventually } from '../../support/eventually.js';
import { readWithKcat } from '../../support/kcat.js';
import { loopbackCertificate } from '../../support/loopback-certificate.js';

const run = promisify(execFile);

describeWithCommand(['kcat'], 'kcat (librdkafka) on the embedded broker', () => {
  it('lists brokers, topics and partitions, and finds offsets by time', async () => {
    const kafka = await startEmbeddedKafka({
      brokers: 2,
      topics: [{ topic: 'orders', partitions: 3 }],
    });
    const listed = JSON.parse(await kcat(['-b', kafka.brokers.join(','), '-L', '-J'])) as unknown;
    expect(listed).toMatchObject({
      brokers: kafka.brokers.map((name, id) => ({ id, name })),
      topics: [{ topic: 'orders', partitions: [{ leader: 0 }, { leader: 1 }, { leader: 0 }] }],
    });
    await produce(kafka, 'a\nb\n', ['-p', '1']);
    const query = ['-b', kafka.brokers.join(','), '-Q'];
    expect(await kcat([...query, '-t', 'orders:1:0', '-t', 'orders:1:-1'])).toMatch(
      /orders \[1\] offset (0|2)/,
    );
  });

  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'])(
    'produces and consumes key and headers, compressed with %s',
    async (codec) => {
      const kafka = await startEmbeddedKafka({ topics: [{ topic: 'orders' }] });
      const value = 'v'.repeat(2000);
      await produce(kafka, `k:${value}\n`, ['-K:', '-H', 'a=1', '-H', 'a=2', '-z', codec]);
      const [record, ...others] = await readWithKcat(kafka.brokers, 'orders');
      expect(others).toEqual([]);
      expect(record).toMatchObject({
        key: Buffer.from('k'),
        value: Buffer.from(value),
        headers: [
          ['a', '1'],
          ['a', '2'],
        ],
      });
      const stored = kafka.requestsOf('Produce').at(-1)?.request.topics[0]?.partitions[0]?.records;
      // The broker keeps what it is given: compressed stays compressed.
      expect((stored?.length ?? 0) < value.length).toBe(codec !== 'none');
    },
  );

  it('consumes in a group: a second member takes over a part, and all of it when the first leaves', async () => {
    const kafka = await startEmbeddedKafka({ topics: [{ topic: 'orders', partitions: 4 }] });
    const first = new KcatMember(kafka, 'shop', 'orders');
    await shared(kafka, 1);
    await produceEverywhere(kafka, 'one');
    await eventually(() => first.values.length === 4);

    const second = new KcatMember(kafka, 'shop', 'orders');
    await shared(kafka, 2);
    await produceEverywhere(kafka, 'two');
    await eventually(() => first.values.length + second.values.length === 8);
    expect(second.values).toEqual(['two', 'two']);

    await first.leave();
    await shared(kafka, 1);
    await produceEverywhere(kafka, 'three');
    await eventually(() => second.values.length === 6);
    await second.leave();
    expect(second.values.slice(2)).toEqual(Array(4).fill('three'));
    expect(committedIn(kafka)).toEqual([3n, 3n, 3n, 3n]);
    expect(kafka.group('shop')).toMatchObject({ state: 'Empty' });
  });

  it('takes up a topic that comes to match its pattern', async () => {
    const kafka = await startEmbeddedKafka({ topics: [{ topic: 'order-eu' }] });
    const refreshed = ['-X', 'topic.metadata.refresh.interval.ms=100'];
    const member = new KcatMember(kafka, 'shop', '^order-', refreshed);
    await shared(kafka, 1);
    kafka.createTopic({ topic: 'order-us' });
    await produce(kafka, 'new\n', [], 'order-us');
    await eventually(() => member.values.includes('new'));
  });

  it('is kept out of a group of kafkajs members, with which it has no protocol in common', async () => {
    const kafka = await startEmbeddedKafka({ topics: [{ topic: 'orders', partitions: 4 }] });
    const theirs = await KafkaJsMember.join(kafkaJs(kafka.brokers), 'shop', ['orders']);
    await eventually(() => theirs.joins > 0);
    const assignor = ['-X', 'partition.assignment.strategy=roundrobin'];
    const kcatMember = new KcatMember(kafka, 'shop', 'orders', assignor);
    await eventually(() => /Inconsistent/i.test(kcatMember.errors));
    expect(theirs.partitions).toHaveLength(4);
  });

  it('comes in through TLS with a password, and not with a wrong one', async () => {
    const kafka = await startEmbeddedKafka({
      topics: [{ topic: 'orders' }],
      listeners: [
        {
          name: 'secure',
          tls: loopbackCertificate,
          sasl: { mechanisms: ['PLAIN'], users: { shop: 'open-sesame' } },
        },
      ],
    });
    const secure = await secureOptions('open-sesame');
    await produce(kafka, 'secret\n', secure);
    const broker = ['-b', kafka.brokers.join(',')];
    const consume = [...broker, '-t', 'orders', '-C', '-e', '-q', ...secure];
    expect(await kcat(consume)).toBe('secret\n');

    const wrong = [...broker, '-L', '-m', '3', ...(await secureOptions('guess'))];
    await expect(kcat(wrong)).rejects.toThrow(/authentication/i);
  });
});

async function kcat(args: readonly string[], input = ''): Promise<string> {
  const running = run('kcat', args, { timeout: 20_000 });
  running.child.stdin?.end(input);
  return (await running).stdout;
}

async function produce(
  kafka: EmbeddedKafka,
  lines: string,
  options: readonly string[] = [],
  topic = 'orders',
): Promise<void> {
  await kcat(['-b', kafka.brokers.join(','), '-t', topic, '-P', ...options], lines);
}

/** One record with that value in each of the four partitions. */
async function produceEverywhere(kafka: EmbeddedKafka, value: string): Promise<void> {
  for (const partition of [0, 1, 2, 3]) await produce(kafka, `${value}\n`, ['-p', `${partition}`]);
}

/** Until a generation of so many members has started. */
async function shared(kafka: EmbeddedKafka, count: number): Promise<void> {
  await eventually(() => {
    const group = kafka.group('shop');
    return group?.state === 'Stable' && group.members.length === count;
  });
}

/** What the group `shop` has committed in `orders`, by partition. */
function committedIn(kafka: EmbeddedKafka): bigint[] {
  const offsets = [...(kafka.group('shop')?.offsets.get('orders') ?? [])];
  return offsets.sort(([a], [b]) => a - b).map(([, { offset }]) => offset);
}

/** A kcat that stays in a group until it is told to leave, or the test ends. */
class KcatMember {
  readonly values: string[] = [];
  errors = '';
  readonly #child;
  readonly #ended;

  constructor(kafka: EmbeddedKafka, groupId: string, topic: string, options: string[] = []) {
    const unbuffered = ['-u', '-f', '%s\\n'];
    const earliest = ['-X', 'auto.offset.reset=earliest'];
    const group = ['-b', kafka.brokers.join(','), '-G', groupId];
    this.#child = spawn('kcat', [...group, ...unbuffered, ...earliest, ...options, topic]);
    this.#ended = once(this.#child, 'close');
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.values.push(line));
    this.#child.stderr.on('data', (data: Buffer) => (this.errors += data.toString()));
    onCleanup(async () => {
      this.#child.kill('SIGKILL');
      await this.#ended;
    });
  }

  async leave(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#ended;
  }
}

/**
 * Not SCRAM: until 2.6.1 librdkafka repeats its nonce, which Kafka 4 refuses, and so do we.
 *
 * @see https://github.com/confluentinc/librdkafka/pull/4895
 */
async function secureOptions(password: string): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'kcat-'));
  onCleanup(() => rm(directory, { recursive: true }));
  const ca = join(directory, 'ca.pem');
  await writeFile(ca, loopbackCertificate.cert);
  const settings = {
    'security.protocol': 'SASL_SSL',
    'ssl.ca.location': ca,
    'sasl.mechanisms': 'PLAIN',
    'sasl.username': 'shop',
    'sasl.password': password,
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-X', `${name}=${value}`]);
}
