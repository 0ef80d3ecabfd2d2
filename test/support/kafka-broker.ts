import { rm } from 'node:fs/promises';
import { freePorts } from './free-ports.js';
import { HOST, KafkaNode, requireCommand, type KafkaProperties } from './kafka-node.js';
import { createTlsCertificates } from './tls-certificates.js';

export interface KafkaBrokerOptions {
  /** Also listen with TLS and SCRAM-SHA-256, at `secure`. @default false */
  readonly secure?: boolean;
  /** Broker settings on top of those for tests. */
  readonly properties?: KafkaProperties;
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
 * A real Apache Kafka of one node, on free loopback ports: all that `KafkaNode` can suffer.
 *
 * It needs Java 17 or later, Maven for the first run, and openssl for `secure`.
 */
export class KafkaBroker {
  private constructor(
    private readonly node: KafkaNode,
    /** The listener without encryption, as kafkajs takes it. */
    readonly brokers: string[],
    /** Set when started with `secure`. */
    readonly secure: SecureListener | undefined,
  ) {}

  /**
   * Starts a broker and waits until it answers.
   *
   * Throws, naming what is missing or the end of the broker's log, when there is none to be had.
   */
  static async start(options: KafkaBrokerOptions = {}): Promise<KafkaBroker> {
    if (options.secure) await requireCommand('openssl', 'version', 'openssl');
    const directory = await KafkaNode.createDirectory();
    try {
      const broker = await KafkaBroker.prepare(directory, options);
      await broker.boot();
      return broker;
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  private static async prepare(
    directory: string,
    options: KafkaBrokerOptions,
  ): Promise<KafkaBroker> {
    const [port = 0, controllerPort = 0, securePort = 0] = await freePorts(3);
    const properties: Record<string, string> = {
      ...clusterOfOne(controllerPort),
      listeners: [
        `PLAINTEXT://${HOST}:${port}`,
        `CONTROLLER://${HOST}:${controllerPort}`,
        ...(options.secure ? [`SASL_SSL://${HOST}:${securePort}`] : []),
      ].join(','),
    };
    const format: string[] = [];
    let secure: SecureListener | undefined;

    if (options.secure) {
      const { ca, keyStore } = await createTlsCertificates(directory);
      const user = { username: 'tester', password: 'correct-horse' };
      secure = { brokers: [`${HOST}:${securePort}`], ca, mechanism: 'scram-sha-256', ...user };
      Object.assign(properties, SECURE_LISTENER, { 'ssl.keystore.location': keyStore });
      format.push('--add-scram', `SCRAM-SHA-256=[name=${user.username},password=${user.password}]`);
    }
    Object.assign(properties, options.properties);
    const node = await KafkaNode.prepare(directory, { nodeId: 1, port, properties, format });
    return new KafkaBroker(node, [`${HOST}:${port}`], secure);
  }

  /** The process id, for signals of the test's own. */
  get pid(): number {
    return this.node.pid;
  }

  /** Freezes the process: connections stay open and nothing answers any more. */
  pause(): void {
    this.node.pause();
  }

  /** Ends a `pause`. */
  resume(): void {
    this.node.resume();
  }

  /** Ends the process and keeps its data: `SIGTERM` is an orderly shutdown, `SIGKILL` a crash. */
  shutDown(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    return this.node.shutDown(signal);
  }

  /** Starts the process, again after `shutDown`: same ports, same data. */
  boot(): Promise<void> {
    return this.node.boot();
  }

  /** An orderly restart, or after a crash with `SIGKILL`: same ports, same data. */
  restart(signal?: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    return this.node.restart(signal);
  }

  /** Ends the process and removes its data. May be called twice. */
  stop(): Promise<void> {
    return this.node.stop();
  }
}

function clusterOfOne(controllerPort: number): Record<string, string> {
  return {
    'node.id': '1',
    'controller.quorum.voters': `1@${HOST}:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL',
    // Nobody to replicate to.
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
  };
}

const SECURE_LISTENER: KafkaProperties = {
  'sasl.enabled.mechanisms': 'SCRAM-SHA-256',
  'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config':
    'org.apache.kafka.common.security.scram.ScramLoginModule required;',
  'ssl.keystore.type': 'PEM',
};
