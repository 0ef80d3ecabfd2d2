import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions as TlsOptions } from 'node:tls';
import { Kafka, logLevel, type ISocketFactory, type RetryOptions, type SASLOptions } from 'kafkajs';
import type { ConnectionSettings, SaslOptions } from '../../connection.js';
import type { DriverLog } from '../../driver.js';
import { kafkaJsLogCreator } from './kafkajs-log.js';

/** One `Kafka` instance, for one consumer, producer or admin: they share state when they share it. */
export interface KafkaJsClient {
  readonly kafka: Kafka;
  /** Destroys its connections, whatever kafkajs still waits for; it connects no more afterwards. */
  abandon(): void;
}

const SECOND = 1000;
const KEEP_ALIVE_DELAY_MS = 60 * SECOND;
const MAX_RETRY_DELAY_MS = 5 * SECOND;

export function createKafkaJsClient(connection: ConnectionSettings, log: DriverLog): KafkaJsClient {
  const { sasl, ssl } = connection;
  const sockets = new SocketPool(ssl);
  const kafka = new Kafka({
    clientId: connection.clientId,
    // Without brokers kafkajs gives up; else it would try again, and keep the process for as long.
    brokers: () => (sockets.abandoned ? [] : [...connection.brokers]),
    ssl,
    ...(sasl === null ? {} : { sasl: copyOf(sasl) }),
    connectionTimeout: connection.connectionTimeoutMs,
    authenticationTimeout: 2 * connection.connectionTimeoutMs,
    requestTimeout: connection.requestTimeoutMs,
    enforceRequestTimeout: true,
    retry: retryOptions(connection),
    socketFactory: sockets.open,
    logLevel: logLevel.INFO,
    logCreator: kafkaJsLogCreator(
      // What kafkajs says about connections that we cut ourselves helps nobody.
      (...line) => {
        if (!sockets.abandoned) log(...line);
      },
      sasl === null ? [] : [sasl.password],
    ),
  });
  return {
    kafka,
    abandon: () => {
      sockets.abandon();
    },
  };
}

// A copy, because kafkajs hangs its authenticator on the object it is given.
function copyOf({ mechanism, username, password }: SaslOptions): SASLOptions {
  switch (mechanism) {
    case 'plain':
      return { mechanism, username, password };
    case 'scram-sha-256':
      return { mechanism, username, password };
    case 'scram-sha-512':
      return { mechanism, username, password };
  }
}

/**
 * Retries, spelled out for every kafkajs object: its own defaults differ between objects, and are
 * others again under `NODE_ENV=test`.
 */
export function retryOptions(
  connection: ConnectionSettings,
): Required<Omit<RetryOptions, 'restartOnFailure'>> {
  return {
    retries: connection.retries,
    initialRetryTime: connection.retryInitialDelayMs,
    multiplier: 2,
    factor: 0.2,
    // While kafkajs waits to retry, nothing sends heartbeats.
    maxRetryTime: MAX_RETRY_DELAY_MS,
  };
}

/** The sockets of one client; kafkajs offers no way to close one that does not answer. */
class SocketPool {
  abandoned = false;
  private readonly sockets = new Set<Socket>();

  constructor(private readonly ssl: boolean | TlsOptions) {}

  readonly open: ISocketFactory = ({ host, port, onConnect }) => {
    if (this.abandoned) throw new Error('the client was closed');
    const socket = this.connect(host, port, onConnect);
    socket.setKeepAlive(true, KEEP_ALIVE_DELAY_MS);
    socket.setNoDelay(true);
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
    return socket;
  };

  private connect(host: string, port: number, onConnect: () => void): Socket {
    if (this.ssl === false) return connectPlain({ host, port }, onConnect);
    const options = this.ssl === true ? {} : this.ssl;
    // An address cannot be a server name (RFC 6066).
    const name = isIP(host) === 0 ? { servername: host } : {};
    return connectTls({ host, port, ...name, ...options }, onConnect);
  }

  abandon(): void {
    this.abandoned = true;
    // With an error, because kafkajs listens for "error" and not for "close".
    for (const socket of this.sockets) socket.destroy(new Error('the client was closed'));
  }
}
