import { KafkaProtocolError } from '../wire/kafka-error.js';

const DAY_MS = 24 * 60 * 60 * 1000;
const MIB = 1024 * 1024;

/** A setting of a topic: Kafka's default, and which values it may have. */
export interface TopicConfig {
  readonly defaultValue: string;
  accepts(value: string): boolean;
}

const integer = (least: number) => (value: string) =>
  /^-?\d+$/.test(value) && Number(value) >= least;
const oneOf =
  (...values: readonly string[]) =>
  (value: string) =>
    values.includes(value);
const cleanupPolicies = (value: string) => /^(delete|compact)(,(delete|compact))?$/.test(value);

/**
 * The settings that a topic is known to have. All are kept and described; only those that
 * `PartitionLog` names change what the broker does.
 *
 * @see https://kafka.apache.org/documentation/#topicconfigs
 */
export const TOPIC_CONFIGS: ReadonlyMap<string, TopicConfig> = new Map([
  ['cleanup.policy', { defaultValue: 'delete', accepts: cleanupPolicies }],
  [
    'compression.type',
    {
      defaultValue: 'producer',
      accepts: oneOf('uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer'),
    },
  ],
  ['delete.retention.ms', { defaultValue: String(DAY_MS), accepts: integer(0) }],
  ['max.compaction.lag.ms', { defaultValue: '9223372036854775807', accepts: integer(1) }],
  ['max.message.bytes', { defaultValue: String(MIB + 12), accepts: integer(0) }],
  [
    'message.timestamp.type',
    { defaultValue: 'CreateTime', accepts: oneOf('CreateTime', 'LogAppendTime') },
  ],
  ['min.compaction.lag.ms', { defaultValue: '0', accepts: integer(0) }],
  ['min.insync.replicas', { defaultValue: '1', accepts: integer(1) }],
  ['retention.bytes', { defaultValue: '-1', accepts: integer(-1) }],
  ['retention.ms', { defaultValue: String(7 * DAY_MS), accepts: integer(-1) }],
  ['segment.bytes', { defaultValue: String(1024 * MIB), accepts: integer(14) }],
  ['segment.ms', { defaultValue: String(7 * DAY_MS), accepts: integer(1) }],
  ['unclean.leader.election.enable', { defaultValue: 'false', accepts: oneOf('true', 'false') }],
]);

/** @throws KafkaProtocolError INVALID_CONFIG for an unknown setting or a value it cannot have. */
export function checkTopicConfigs(configs: ReadonlyMap<string, string>): void {
  for (const [name, value] of configs) {
    if (TOPIC_CONFIGS.get(name)?.accepts(value) !== true) {
      throw new KafkaProtocolError('INVALID_CONFIG', `${name}=${value}`);
    }
  }
}
