import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it } from '@jest/globals';
import type { EmbeddedKafka } from '../../../lib/testing/index.js';
import { onCleanup } from '../../support/cleanup.js';
import { describeWithCommand } from '../../support/describe-with-command.js';
import { startEmbeddedKafka } from '../../support/embedded-kafka.js';
import { runKafkaTool } from '../../support/kafka-java-tool.js';
import { loopbackCertificate } from '../../support/loopback-certificate.js';

const TOPIC = 'org.apache.kafka.tools.TopicCommand';
const GROUP = 'org.apache.kafka.tools.consumer.group.ConsumerGroupCommand';
const CONSUME = 'org.apache.kafka.tools.consumer.ConsoleConsumer';

describeWithCommand(['java', 'mvn'], "Kafka 4.1's own tools on the embedded broker", () => {
  // The first run fetches the jars.
  beforeAll(() => runKafkaTool('kafka.Kafka', ['--version']), 120_000);

  it('create, describe, grow, list and delete topics', async () => {
    const { kafka, tool } = await start({ defaultPartitions: 2 });
    await tool(TOPIC, '--create', '--topic', 'orders');
    expect(kafka.endOffsets('orders')).toHaveLength(2);
    await tool(TOPIC, '--alter', '--topic', 'orders', '--partitions', '3');
    const described = await tool(TOPIC, '--describe', '--topic', 'orders');
    expect(described).toMatch(/Topic: orders\s+PartitionCount: 3\s+ReplicationFactor: 1/);
    expect(described).toMatch(/Partition: 2\s+Leader: 0\s+Replicas: 0\s+Isr: 0/);
    expect(await tool(TOPIC, '--list')).toBe('orders\n');
    await tool(TOPIC, '--delete', '--topic', 'orders');
    expect(await tool(TOPIC, '--list')).toBe('\n');
  });

  it('describe settings', async () => {
    const { tool } = await start({ configs: { 'retention.ms': '5000' } });
    const topic = ['--entity-type', 'topics', '--entity-name', 'orders'];
    const described = await tool('kafka.admin.ConfigCommand', '--describe', ...topic);
    expect(described).toContain('retention.ms=5000');
  });

  it('produce, consume in a group, and show and reset where it is', async () => {
    const { kafka, tool } = await start({ partitions: 2 });
    await tool(
      { tool: 'org.apache.kafka.tools.ConsoleProducer', input: 'a:1\nb:2\nc:3\n' },
      ...['--topic', 'orders', '--compression-codec', 'lz4'],
      ...['--property', 'parse.key=true', '--property', 'key.separator=:'],
    );
    expect(sum(kafka.endOffsets('orders'))).toBe(3n);

    const group = ['--group', 'shop'];
    const read = await tool(
      CONSUME,
      ...[...group, '--topic', 'orders', '--from-beginning', '--max-messages', '3'],
      ...['--property', 'print.key=true', '--timeout-ms', '15000'],
    );
    expect(linesOf(read)).toEqual(
      expect.arrayContaining(['a\t1', 'b\t2', 'c\t3', 'Processed a total of 3 messages']),
    );
    expect(sum(committedIn(kafka))).toBe(3n);

    expect(linesOf(await tool(GROUP, '--list'))).toEqual(['shop']);
    const shown = await tool(GROUP, '--describe', ...group);
    expect(linesOf(shown).filter((line) => /^shop\s+orders\s+\d\s+(\d)\s+\1\s+0/.test(line)))
      // One line for each partition: nothing lags.
      .toHaveLength(2);
    await tool(
      GROUP,
      ...[...group, '--topic', 'orders', '--reset-offsets', '--to-earliest', '--execute'],
    );
    expect(committedIn(kafka)).toEqual([0n, 0n]);
    await tool(GROUP, '--delete', ...group);
    expect(kafka.group('shop')).toBeUndefined();
  });

  it('copy in transactions, offsets included, and read what is committed', async () => {
    const { kafka, tool } = await start();
    kafka.createTopic({ topic: 'bills' });
    const produce = 'org.apache.kafka.tools.VerifiableProducer';
    await tool(produce, '--topic', 'orders', '--max-messages', '4');
    await runKafkaTool('org.apache.kafka.tools.TransactionalMessageCopier', [
      ...['--broker-list', kafka.brokers.join(','), '--transactional-id', 'billing'],
      ...['--input-topic', 'orders', '--input-partition', '0', '--output-topic', 'bills'],
      ...['--max-messages', '4', '--transaction-size', '2', '--consumer-group', 'shop'],
    ]);
    expect(committedIn(kafka)).toEqual([4n]);
    const read = await tool(
      CONSUME,
      ...['--topic', 'bills', '--from-beginning', '--isolation-level', 'read_committed'],
      ...['--max-messages', '4', '--timeout-ms', '15000'],
    );
    expect(linesOf(read).slice(0, 4)).toEqual(['0', '1', '2', '3']);
    // Two transactions, each with its marker.
    expect(kafka.endOffsets('bills')).toEqual([6n]);
    expect(kafka.requestsOf('EndTxn').map(({ request }) => request.committed)).toEqual([
      true,
      true,
    ]);
  });

  it('show offsets, and delete records', async () => {
    const { kafka, tool } = await start();
    const produce = 'org.apache.kafka.tools.VerifiableProducer';
    await tool(produce, '--topic', 'orders', '--max-messages', '5');
    const offsets = 'org.apache.kafka.tools.GetOffsetShell';
    expect(await tool(offsets, '--topic', 'orders')).toBe('orders:0:5\n');

    const upTo = { partitions: [{ topic: 'orders', partition: 0, offset: 2 }] };
    const file = await temporaryFile(JSON.stringify(upTo));
    await tool('org.apache.kafka.tools.DeleteRecordsCommand', '--offset-json-file', file);
    const earliest = ['--topic', 'orders', '--time', 'earliest'];
    expect(await tool(offsets, ...earliest)).toBe('orders:0:2\n');
    expect(kafka.endOffsets('orders')).toEqual([5n]);
  });

  it('come in through TLS and SCRAM, and not with a wrong password', async () => {
    const kafka = await startEmbeddedKafka({
      topics: [{ topic: 'orders' }],
      listeners: [
        {
          name: 'secure',
          tls: loopbackCertificate,
          sasl: { mechanisms: ['SCRAM-SHA-512'], users: { shop: 'open-sesame' } },
        },
      ],
    });
    const list = async (password: string) => {
      const config = ['--command-config', await clientConfig(password)];
      return runKafkaTool(TOPIC, [
        '--bootstrap-server',
        String(kafka.brokers[0]),
        ...config,
        '--list',
      ]);
    };
    expect(await list('open-sesame')).toBe('orders\n');
    await expect(list('guess')).rejects.toThrow('Invalid user credentials');
  });

  it('understand which requests there are, and say so where one is missing', async () => {
    const { tool } = await start();
    const versions = await tool('org.apache.kafka.tools.BrokerApiVersionsCommand');
    for (const known of ['Produce(0): 0 to 7 [usable: 7]', 'Fetch(1): 4 to 11 [usable: 11]']) {
      expect(versions).toContain(known);
    }
    await expect(tool('org.apache.kafka.tools.AclCommand', '--list')).rejects.toThrow(
      'The node does not support DESCRIBE_ACLS',
    );
  });
});

function clientConfig(password: string): Promise<string> {
  const login = `username="shop" password="${password}"`;
  const settings = {
    'security.protocol': 'SASL_SSL',
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.certificates': loopbackCertificate.cert.trim().replaceAll('\n', '\\n'),
    'sasl.mechanism': 'SCRAM-SHA-512',
    'sasl.jaas.config': `org.apache.kafka.common.security.scram.ScramLoginModule required ${login};`,
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  return temporaryFile(lines.join(''));
}

/** Answers its path; it is removed after the test. */
async function temporaryFile(content: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'kafka-tools-'));
  onCleanup(() => rm(directory, { recursive: true }));
  const file = join(directory, 'file');
  await writeFile(file, content);
  return file;
}

type Command = string | { readonly tool: string; readonly input: string };

/** A broker with the topic `orders` where one is described, and its tools. */
async function start(
  options: {
    partitions?: number;
    configs?: Record<string, string>;
    defaultPartitions?: number;
  } = {},
) {
  const { defaultPartitions, ...topic } = options;
  const kafka: EmbeddedKafka = await startEmbeddedKafka(
    defaultPartitions === undefined
      ? { topics: [{ topic: 'orders', ...topic }] }
      : { defaultPartitions },
  );
  const server = ['--bootstrap-server', kafka.brokers.join(',')];
  const tool = (command: Command, ...args: string[]) =>
    typeof command === 'string'
      ? runKafkaTool(command, [...server, ...args])
      : runKafkaTool(command.tool, [...server, ...args], { input: command.input });
  return { kafka, tool };
}

/** What the group `shop` has committed in `orders`, by partition. */
function committedIn(kafka: EmbeddedKafka): bigint[] {
  const offsets = [...(kafka.group('shop')?.offsets.get('orders') ?? [])];
  return offsets.sort(([a], [b]) => a - b).map(([, { offset }]) => offset);
}

function sum(offsets: readonly bigint[]): bigint {
  return offsets.reduce((total, offset) => total + offset, 0n);
}

function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}
