import type { ConnectionOptions as TlsOptions } from 'node:tls';

/** User name and password mechanisms of Kafka. */
export interface SaslOptions {
  readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
  readonly username: string;
  readonly password: string;
}

/** What a driver needs to reach the cluster. */
export interface ConnectionSettings {
  readonly clientId: string;
  readonly brokers: readonly string[];
  readonly ssl: boolean | TlsOptions;
  readonly sasl: SaslOptions | null;
  readonly connectionTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** Retries of one request inside the client, and the first delay between them. */
  readonly retries: number;
  readonly retryInitialDelayMs: number;
  /** A compressed batch may not grow beyond this when it is read. */
  readonly maxDecompressedBatchBytes: number;
  /** Whether kafkajs may be mended process-wide at start; see the operations notes in the README. */
  readonly patchKafkaJs: boolean;
}
