import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { open, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Kafka, logLevel } from 'kafkajs';
import { eventually } from './eventually.js';
import { freePorts } from './free-ports.js';
import { kafkaClassPath } from './kafka-jars.js';
import { killWhenOrphaned } from './kill-when-orphaned.js';
import { createTlsCertificates } from './tls-certificates.js';

const run = promisify(execFile);

const HOST = '127.0.0.1';
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
const JVM_OPTIONS = [
  '-Xmx512m',
  // A broker that lives for seconds: a quick start counts more than throughput.
  ...['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
];

export interface KafkaBrokerOptions {
  /** Also listen with TLS and SCRAM-SHA-256, at `secure`. @default false */
  readonly secure?: boolean;
  /** Broker settings on top of those for tests. */
  readonly properties?: Readonly<Record<string, string>>;
}

/** How a client reaches the listener with TLS and a password. */
export interface SecureListener {
  readonly brokers: string[];
  /** The certificate authority to trust, as PEM text. */
  readonly ca: string;
  readonly mechanism: 'scram-sha-256';
  readonly username: string;
  readonly password: string;
}

/**
 * A real Apache Kafka in a process of its own: one node, KRaft, on free loopback ports, its data in
 * a temporary directory. Its process can be paused, killed and started again over the same data,
 * to see what clients do then.
 *
 * It needs Java 17 or later, Maven for the first run, and openssl for `secure`.
 */
export class KafkaBroker {
  /** The listener without encryption, as kafkajs takes it. */
  readonly brokers: string[];

  private process: ChildProcess | undefined;
  private watchdog: ChildProcess | undefined;

  private constructor(
    private readonly directory: string,
    private readonly classPath: string,
    port: number,
    /** Set when started with `secure`. */
    readonly secure: SecureListener | undefined,
  ) {
    this.brokers = [`${HOST}:${port}`];
  }

  /**
   * Starts a broker and waits until it answers.
   *
   * Throws, naming what is missing or the end of the broker's log, when there is none to be had.
   */
  static async start(options: KafkaBrokerOptions = {}): Promise<KafkaBroker> {
    await requireCommand('java', '-version', 'Java 17 or later');
    await requireCommand('mvn', '-version', 'Maven');
    if (options.secure) await requireCommand('openssl', 'version', 'openssl');

    const classPath = await kafkaClassPath();
    const directory = await mkdtemp(join(tmpdir(), 'kafka-broker-'));
    try {
      const broker = await KafkaBroker.prepare(directory, classPath, options);
      await broker.boot();
      return broker;
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  private static async prepare(
    directory: string,
    classPath: string,
    options: KafkaBrokerOptions,
  ): Promise<KafkaBroker> {
    const [port, controllerPort, securePort] = await freePorts(3);
    const properties: Record<string, string> = {
      ...clusterOfOne(directory, controllerPort),
      listeners: [
        `PLAINTEXT://${HOST}:${port}`,
        `CONTROLLER://${HOST}:${controllerPort}`,
        ...(options.secure ? [`SASL_SSL://${HOST}:${securePort}`] : []),
      ].join(','),
      ...FOR_TESTS,
    };
    const format = ['-t', 'dGVzdC1jbHVzdGVyLWlkMQ', '-c', join(directory, 'server.properties')];
    let secure: SecureListener | undefined;

    if (options.secure) {
      const { ca, keyStore } = await createTlsCertificates(directory);
      const user = { username: 'tester', password: 'correct-horse' };
      secure = { brokers: [`${HOST}:${securePort}`], ca, mechanism: 'scram-sha-256', ...user };
      Object.assign(properties, SECURE_LISTENER, { 'ssl.keystore.location': keyStore });
      format.push('--add-scram', `SCRAM-SHA-256=[name=${user.username},password=${user.password}]`);
    }
    Object.assign(properties, options.properties);

    await writeFile(
      join(directory, 'server.properties'),
      Object.entries(properties)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    );
    await run('java', [
      ...JVM_OPTIONS,
      ...['-cp', classPath, 'kafka.tools.StorageTool', 'format', ...format],
    ]);
    return new KafkaBroker(directory, classPath, port, secure);
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

  /** Starts the process, again after `shutDown`: same ports, same data. */
  async boot(): Promise<void> {
    if (this.process !== undefined) throw new Error('The broker is already running');
    const logFile = join(this.directory, 'broker.log');
    const log = await open(logFile, 'a');
    const args = ['-cp', this.classPath, 'kafka.Kafka', join(this.directory, 'server.properties')];
    const started = spawn('java', [...JVM_OPTIONS, ...args], {
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
      brokers: this.brokers,
      logLevel: logLevel.NOTHING,
      retry: { retries: 0 },
    }).admin();
    try {
      await eventually(
        async () => {
          if (started.exitCode !== null || started.signalCode !== null) return 'ended';
          await admin.connect();
          return (await admin.describeCluster()).brokers.length === 1 && 'answered';
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

function clusterOfOne(directory: string, controllerPort: number): Record<string, string> {
  return {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.voters': `1@${HOST}:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL',
    'log.dirs': join(directory, 'data'),
  };
}

const FOR_TESTS: Readonly<Record<string, string>> = {
  // Nobody to replicate to.
  'offsets.topic.replication.factor': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
  // Few partitions of internal topics: the first consumer waits until all of them exist.
  'offsets.topic.num.partitions': '1',
  'transaction.state.log.num.partitions': '1',
  // Transactions whose time is over end soon after it.
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500',
  'share.coordinator.state.topic.num.partitions': '1',
  // Groups form at once, and tests of slow handlers may use short sessions.
  'group.initial.rebalance.delay.ms': '0',
  'group.min.session.timeout.ms': '1000',
  // After a crash the controller refuses the new process until the session of the old one ends.
  'broker.session.timeout.ms': '4000',
  'broker.heartbeat.interval.ms': '500',
  // A mistyped topic is an error, as in production.
  'auto.create.topics.enable': 'false',
  'log.cleaner.dedupe.buffer.size': '4194304',
};

const SECURE_LISTENER: Readonly<Record<string, string>> = {
  'sasl.enabled.mechanisms': 'SCRAM-SHA-256',
  'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config':
    'org.apache.kafka.common.security.scram.ScramLoginModule required;',
  'ssl.keystore.type': 'PEM',
};

async function requireCommand(command: string, probe: string, name: string): Promise<void> {
  try {
    await run(command, [probe]);
  } catch (error) {
    throw new Error(`A real Kafka broker needs ${name}: the command "${command}" does not run`, {
      cause: error,
    });
  }
}
