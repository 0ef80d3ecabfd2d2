import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { eventually } from './eventually.js';
import { kafkaClassPath } from './kafka-jars.js';
import { killWhenOrphaned } from './kill-when-orphaned.js';

const run = promisify(execFile);

export const HOST = '127.0.0.1';
const CLUSTER_ID = 'dGVzdC1jbHVzdGVyLWlkMQ';
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;

export type KafkaProperties = Readonly<Record<string, string>>;

export interface KafkaNodeOptions {
  readonly nodeId: number;
  /** Of a listener without encryption: the node has started when this one answers. */
  readonly port: number;
  /** All that is special to this node; settings for tests are there already. */
  readonly properties: KafkaProperties;
  /** Arguments for Kafka's storage tool beyond cluster id and settings. */
  readonly format?: readonly string[];
  /** Largest heap of its JVM, in MB. @default 512 */
  readonly heapMb?: number;
}

/**
 * One node of an Apache Kafka, KRaft, in a process of its own, its data in a directory. Its process
 * can be paused, killed and started again over the same data, to see what clients do then.
 *
 * It needs Java 17 or later, and Maven for the first run.
 */
export class KafkaNode {
  private process: ChildProcess | undefined;
  private watchdog: ChildProcess | undefined;

  private constructor(
    private readonly directory: string,
    private readonly classPath: string,
    private readonly options: KafkaNodeOptions,
  ) {}

  /** A directory for a node's files, for those who have some to add before it is prepared. */
  static async createDirectory(): Promise<string> {
    await requireCommand('java', '-version', 'Java 17 or later');
    await requireCommand('mvn', '-version', 'Maven');
    return mkdtemp(join(tmpdir(), 'kafka-broker-'));
  }

  /** Writes settings and formats the storage of a node that is not started yet. */
  static async prepare(directory: string, options: KafkaNodeOptions): Promise<KafkaNode> {
    const settings = { ...FOR_TESTS, 'log.dirs': join(directory, 'data'), ...options.properties };
    const file = join(directory, 'server.properties');
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(file, lines.join(''));

    const classPath = await kafkaClassPath();
    const format = ['-t', CLUSTER_ID, '-c', file, ...(options.format ?? [])];
    await run('java', [
      ...jvmOptions(options),
      ...['-cp', classPath, 'kafka.tools.StorageTool', 'format', ...format],
    ]);
    return new KafkaNode(directory, classPath, options);
  }

  get nodeId(): number {
    return this.options.nodeId;
  }

  /** The process id, for signals of the test's own. */
  get pid(): number {
    const pid = this.process?.pid;
    if (pid === undefined) throw new Error('The broker is not running');
    return pid;
  }

  /** Freezes the process: connections stay open and nothing answers any more. */
  pause(): void {
    process.kill(this.pid, 'SIGSTOP');
  }

  /** Ends a `pause`. */
  resume(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  /** Ends the process and keeps its data: `SIGTERM` is an orderly shutdown, `SIGKILL` a crash. */
  async shutDown(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const running = this.process;
    if (running === undefined) return;
    this.process = undefined;
    if (running.exitCode === null && running.signalCode === null) {
      const exited = once(running, 'exit');
      running.kill(signal);
      // Stopped processes hold back every other signal until they are continued.
      running.kill('SIGCONT');
      const impatience = setTimeout(() => running.kill('SIGKILL'), STOP_TIMEOUT_MS);
      await exited;
      clearTimeout(impatience);
    }
    this.watchdog?.kill('SIGKILL');
  }

  /** Starts the process, again after `shutDown`: same ports, same data; waits until it answers. */
  async boot(): Promise<void> {
    if (this.process !== undefined) throw new Error('The broker is already running');
    const logFile = join(this.directory, 'broker.log');
    const log = await open(logFile, 'a');
    const args = ['-cp', this.classPath, 'kafka.Kafka', join(this.directory, 'server.properties')];
    const started = spawn('java', [...jvmOptions(this.options), ...args], {
      stdio: ['ignore', log.fd, log.fd],
    });
    await once(started, 'spawn');
    await log.close();
    this.process = started;
    this.watchdog = killWhenOrphaned(this.pid, this.directory);

    try {
      await this.answers(started);
    } catch (error) {
      await this.shutDown('SIGKILL');
      const tail = (await readFile(logFile, 'utf8')).slice(-2000);
      throw new Error(`Apache Kafka did not start. Its log ends:\n${tail}`, { cause: error });
    }
  }

  /** An orderly restart, or after a crash with `SIGKILL`: same ports, same data. */
  async restart(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    await this.shutDown(signal);
    await this.boot();
  }

  /** Ends the process and removes its data. May be called twice. */
  async stop(): Promise<void> {
    await this.shutDown('SIGKILL');
    await rm(this.directory, { recursive: true, force: true });
  }

  private async answers(started: ChildProcess): Promise<void> {
    const admin = new Kafka({
      brokers: [`${HOST}:${this.options.port}`],
      logLevel: logLevel.NOTHING,
      retry: { retries: 0 },
    }).admin();
    try {
      await eventually(
        async () => {
          if (started.exitCode !== null || started.signalCode !== null) return 'ended';
          await admin.connect();
          const { brokers } = await admin.describeCluster();
          return brokers.some(({ nodeId }) => nodeId === this.nodeId) && 'answered';
        },
        { timeoutMs: START_TIMEOUT_MS, intervalMs: 100, message: 'the first answer of the broker' },
      ).then((state) => {
        if (state === 'ended') throw new Error('The process ended');
      });
    } finally {
      await admin.disconnect();
    }
  }
}

const FOR_TESTS: KafkaProperties = {
  'process.roles': 'broker,controller',
  // Few partitions of internal topics: the first consumer waits until all of them exist.
  'offsets.topic.num.partitions': '1',
  'transaction.state.log.num.partitions': '1',
  'share.coordinator.state.topic.num.partitions': '1',
  // Transactions whose time is over end soon after it.
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
  // Groups form at once, and tests of slow handlers may use short sessions.
  // Half a minute after its start a broker deletes what is a week old, by the records' own times.
  'log.retention.ms': '-1',
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '1000',
  // After a crash the controller refuses the new process until the session of the old one ends.
  'broker.session.timeout.ms': '4000',
  'broker.heartbeat.interval.ms': '500',
  // A mistyped topic is an error, as in production.
  'auto.create.topics.enable': 'false',
  'log.cleaner.dedupe.buffer.size': '4194304',
};

function jvmOptions({ heapMb = 512 }: KafkaNodeOptions): string[] {
  return [
    `-Xmx${heapMb}m`,
    // A broker that lives for seconds: a quick start counts more than throughput.
    ...['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
    '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  ];
}

export async function requireCommand(command: string, probe: string, name: string): Promise<void> {
  try {
    await run(command, [probe]);
  } catch (error) {
    throw new Error(`A real Kafka broker needs ${name}: the command "${command}" does not run`, {
      cause: error,
    });
  }
}
