import { systemClock, type Clock } from '../../contracts/clock.js';
import { SASL_MECHANISMS, type SaslMechanism } from './sasl/sasl-settings.js';
import type { ListenerSettings } from './server/listener-settings.js';
import type { ClusterOptions } from './state/cluster.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const MIB = 1024 * 1024;

export interface EmbeddedTopic {
  readonly topic: string;
  /** @default `defaultPartitions` */
  readonly partitions?: number;
  /** Settings such as `max.message.bytes`, by Kafka's names. */
  readonly configs?: Readonly<Record<string, string>>;
}

/** A kind of port that every broker opens. */
export interface EmbeddedListener {
  /** For `brokersOf`. */
  readonly name: string;
  /** Key and certificate as PEM text. @default plain TCP */
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Passwords by user name. @default everybody is let in */
  readonly sasl?: {
    readonly mechanisms: readonly SaslMechanism[];
    readonly users: Readonly<Record<string, string>>;
  };
}

export interface EmbeddedKafkaOptions {
  /** How many brokers; their ids count from 0. @default 1 */
  readonly brokers?: number;
  /** Of the first listener, one for each broker. @default free ones */
  readonly ports?: readonly number[];
  /** @default none */
  readonly topics?: readonly EmbeddedTopic[];
  /** Whether a client that asks for an unknown topic gets one. @default false */
  readonly autoCreateTopics?: boolean;
  /** Of topics made without a number of their own. @default 1 */
  readonly defaultPartitions?: number;
  /** @default one, `plain`, without TLS and SASL */
  readonly listeners?: readonly EmbeddedListener[];
  /** Of session, rebalance and transaction timeouts. @default the process's own */
  readonly clock?: Clock;
  /**
   * How long a group that begins waits for more members. Kafka's default is 3 s.
   *
   * @default 0
   */
  readonly groupInitialRebalanceDelayMs?: number;
  /** The shortest session timeout that a member may ask for. Kafka asks for 6 s. @default 100 ms */
  readonly groupMinSessionTimeoutMs?: number;
  /** The longest session timeout that a member may ask for. @default 30 min, as in Kafka */
  readonly groupMaxSessionTimeoutMs?: number;
  /** A client that announces a longer request is hung up on. @default 100 MiB, as in Kafka */
  readonly maxRequestBytes?: number;
}

/** The options with every default in its place. */
export interface EmbeddedKafkaSettings {
  readonly cluster: ClusterOptions;
  readonly ports: readonly number[];
  readonly topics: readonly EmbeddedTopic[];
  readonly listeners: readonly [ListenerSettings, ...ListenerSettings[]];
  readonly maxRequestBytes: number;
}

/** @throws RangeError for values that fit nothing. */
export function resolveEmbeddedKafkaOptions(options: EmbeddedKafkaOptions): EmbeddedKafkaSettings {
  const { brokers = 1, ports = [], maxRequestBytes = 100 * MIB } = options;
  const [first = { name: 'plain' }, ...others] = options.listeners ?? [];
  const cluster = {
    brokers,
    clock: options.clock ?? systemClock,
    defaultPartitions: options.defaultPartitions ?? 1,
    autoCreateTopics: options.autoCreateTopics ?? false,
    groupInitialRebalanceDelayMs: options.groupInitialRebalanceDelayMs ?? 0,
    groupMinSessionTimeoutMs: options.groupMinSessionTimeoutMs ?? 100,
    groupMaxSessionTimeoutMs: options.groupMaxSessionTimeoutMs ?? 30 * MINUTE,
  };
  checkInteger('brokers', brokers, 1);
  checkInteger('defaultPartitions', cluster.defaultPartitions, 1);
  checkInteger('groupInitialRebalanceDelayMs', cluster.groupInitialRebalanceDelayMs, 0);
  checkInteger('groupMinSessionTimeoutMs', cluster.groupMinSessionTimeoutMs, 1);
  checkInteger('groupMaxSessionTimeoutMs', cluster.groupMaxSessionTimeoutMs, 1);
  checkInteger('maxRequestBytes', maxRequestBytes, 1);
  for (const { topic, partitions = 1 } of options.topics ?? []) {
    checkInteger(`topics: partitions of ${topic}`, partitions, 1);
  }
  if (ports.length > brokers) throw new RangeError('ports: more of them than brokers');
  return {
    cluster,
    ports,
    topics: options.topics ?? [],
    listeners: uniquelyNamed([listenerSettings(first), ...others.map(listenerSettings)]),
    maxRequestBytes,
  };
}

function checkInteger(option: string, value: number, min: number): void {
  if (Number.isInteger(value) && value >= min) return;
  throw new RangeError(`${option}: must be an integer from ${String(min)}, got ${String(value)}`);
}

function uniquelyNamed<Listeners extends readonly ListenerSettings[]>(listeners: Listeners) {
  const names = new Set(listeners.map(({ name }) => name));
  if (names.size < listeners.length) throw new RangeError('listeners: two have the same name');
  return listeners;
}

function listenerSettings({ name, tls, sasl }: EmbeddedListener): ListenerSettings {
  for (const mechanism of sasl?.mechanisms ?? []) {
    if (SASL_MECHANISMS.includes(mechanism)) continue;
    const known = SASL_MECHANISMS.join(', ');
    throw new RangeError(`listeners: ${name} offers ${mechanism}, which is none of ${known}`);
  }
  return { name, tls: tls ?? null, sasl: sasl ?? null };
}
