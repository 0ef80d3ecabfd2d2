import type { ConnectionSettings, SaslOptions } from '../kafka/connection.js';
import type { KafkaEventsOptions } from '../kafka-events.options.js';
import { isBrokerAddress } from './broker-address.js';
import { DEFAULTS } from './defaults.js';
import type { Environment } from './environment.js';
import { BYTES, DURATION_MS } from './option-ranges.js';
import { isObject, type OptionSection } from './option-section.js';

type Root = OptionSection<KafkaEventsOptions>;

const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

/** How to reach the cluster; name and brokers may be missing where nothing connects. */
export function readConnection(root: Root, env: Environment, connect: boolean): ConnectionSettings {
  const ssl = readSsl(root, env);
  const sasl = readSasl(root, env);
  refuseOpenPassword(root, env, ssl);
  return {
    clientId: readClientId(root, env, connect),
    brokers: readBrokers(root, env, connect),
    ssl,
    sasl,
    connectionTimeoutMs:
      root.integer('connectionTimeoutMs', DURATION_MS) ?? DEFAULTS.connectionTimeoutMs,
    requestTimeoutMs: root.integer('requestTimeoutMs', DURATION_MS) ?? DEFAULTS.requestTimeoutMs,
    retries: DEFAULTS.retries,
    retryInitialDelayMs: DEFAULTS.retryInitialDelayMs,
    maxDecompressedBatchBytes:
      root.integer('maxDecompressedBatchBytes', BYTES) ?? DEFAULTS.maxDecompressedBatchBytes,
    patchKafkaJs: root.boolean('patchKafkaJs') ?? DEFAULTS.patchKafkaJs,
  };
}

function readClientId(root: Root, env: Environment, connect: boolean): string {
  const clientId = root.text('clientId') ?? env.clientId;
  if (clientId !== undefined) return clientId;
  if (connect && !root.problems.concern('clientId')) {
    root.refuse('clientId', 'is missing; name the service, here or in KAFKA_CLIENT_ID');
  }
  return 'unnamed';
}

function readBrokers(root: Root, env: Environment, connect: boolean): readonly string[] {
  const given = root.value('brokers', 'a list of host:port', Array.isArray);
  if (root.problems.concern('brokers')) return [];
  const [source, brokers] =
    given === undefined ? ['KAFKA_BROKERS', env.brokers ?? []] : ['brokers', given];
  for (const [index, broker] of brokers.entries()) {
    if (isBrokerAddress(broker)) continue;
    root.problems.add(
      `${source}[${String(index)}]`,
      'must be host:port, for example kafka:9092 or [::1]:9092',
    );
  }
  if (connect && brokers.length === 0) {
    root.refuse('brokers', 'is missing; list host:port, here or in KAFKA_BROKERS');
  }
  return [...brokers];
}

function readSsl(root: Root, env: Environment): ConnectionSettings['ssl'] {
  const given = root.value('ssl', 'true, false or TLS options', (value) => {
    return typeof value === 'boolean' || isObject(value);
  });
  if (given !== undefined || root.has('ssl')) return given ?? false;
  if (env.ssl !== undefined && env.ssl !== 'true' && env.ssl !== 'false') {
    root.problems.add('KAFKA_SSL', "must be 'true' or 'false'");
  }
  return env.ssl === 'true';
}

/** Options count as a whole: a user from here is never sent with a password from there. */
function readSasl(root: Root, env: Environment): SaslOptions | null {
  const given = root.section('sasl', saslFromOptions);
  return root.has('sasl') ? (given ?? null) : saslFromEnvironment(root, env);
}

function saslFromOptions(sasl: OptionSection<SaslOptions>): SaslOptions | null {
  const mechanism = sasl.oneOf('mechanism', MECHANISMS);
  const username = sasl.text('username');
  const password = sasl.value('password', 'a text that is not empty', isPassword);
  if (sasl.problems.concern('sasl')) return null;
  for (const name of ['mechanism', 'username', 'password'] as const) {
    if (!sasl.has(name)) sasl.refuse(name, 'is missing');
  }
  if (mechanism === undefined || username === undefined || password === undefined) return null;
  return { mechanism, username, password };
}

function saslFromEnvironment({ problems }: Root, env: Environment): SaslOptions | null {
  const { saslMechanism, user: username, password } = env;
  if (saslMechanism === undefined && username === undefined && password === undefined) return null;
  const mechanism = MECHANISMS.find((name) => name === saslMechanism);
  const needed = 'is missing; KAFKA_SASL_MECHANISM, KAFKA_USER and KAFKA_PASS go together';
  if (mechanism === undefined) {
    const allowed = `one of ${MECHANISMS.map((name) => `'${name}'`).join(', ')}`;
    const problem = saslMechanism === undefined ? needed : 'is not known';
    problems.add('KAFKA_SASL_MECHANISM', `${problem}; it must be ${allowed}`);
  }
  if (username === undefined) problems.add('KAFKA_USER', needed);
  if (password === undefined) problems.add('KAFKA_PASS', needed);
  if (mechanism === undefined || username === undefined || password === undefined) return null;
  return { mechanism, username, password };
}

function refuseOpenPassword(root: Root, env: Environment, ssl: ConnectionSettings['ssl']): void {
  const allowed = root.boolean('allowInsecure') ?? DEFAULTS.allowInsecure;
  const hasPassword = root.has('sasl') || env.password !== undefined;
  if (!hasPassword || ssl !== false || allowed) return;
  if (root.problems.concern('ssl', 'KAFKA_SSL', 'allowInsecure')) return;
  root.refuse(
    'ssl',
    'must be on where a password is sent; set ssl or KAFKA_SSL, or allowInsecure: true to send it unprotected',
  );
}

function isPassword(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}
