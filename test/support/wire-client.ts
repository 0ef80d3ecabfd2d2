import { once } from 'node:events';
import { createRequire } from 'node:module';
import { connect, type Socket } from 'node:net';
import { onCleanup } from './cleanup.js';

/**
 * kafkajs's own encoders and decoders, which its types do not mention: written by others than our
 * broker's, and proven against Kafka.
 */
interface Definition {
  protocol(options: { version: number }): (fields: unknown) => {
    readonly request: {
      readonly apiKey: number;
      readonly apiVersion: number;
      encode(): Promise<unknown>;
    };
    readonly response: { decode(bytes: Buffer): Promise<unknown> };
  };
}
const require = createRequire(import.meta.url);
const { requests } = require('kafkajs/src/protocol/requests') as {
  requests: Record<string, Definition>;
};
const frameOf = require('kafkajs/src/protocol/request') as (request: {
  correlationId: number;
  clientId: string;
  request: unknown;
}) => Promise<{ readonly buffer: Buffer }>;

/** The versions that the embedded broker speaks, by kafkajs's names. */
const VERSIONS = {
  Produce: 7,
  Fetch: 11,
  ListOffsets: 3,
  Metadata: 6,
  OffsetCommit: 5,
  OffsetFetch: 4,
  GroupCoordinator: 2,
  JoinGroup: 5,
  Heartbeat: 3,
  LeaveGroup: 3,
  SyncGroup: 3,
  DescribeGroups: 2,
  ListGroups: 2,
  CreateTopics: 3,
  DeleteTopics: 1,
  DeleteRecords: 1,
  InitProducerId: 1,
  AddPartitionsToTxn: 1,
  AddOffsetsToTxn: 1,
  EndTxn: 1,
  TxnOffsetCommit: 1,
  DescribeConfigs: 2,
  AlterConfigs: 1,
  CreatePartitions: 1,
  DeleteGroups: 1,
} as const;

interface Waiting {
  readonly resolve: (body: Buffer) => void;
  readonly reject: (error: Error) => void;
}

export type WireRequest = keyof typeof VERSIONS;

/** A connection that sends single requests and answers what the broker said, errors included. */
export class WireClient {
  #correlationId = 0;
  #received = Buffer.alloc(0);
  readonly #waiting = new Map<number, Waiting>();

  private constructor(private readonly socket: Socket) {
    socket.on('data', (bytes: Buffer) => {
      this.#take(bytes);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      for (const { reject } of this.#waiting.values())
        reject(new Error('the connection was closed'));
      this.#waiting.clear();
    });
  }

  /** Connects to the first of the addresses; closed after the test. */
  static async connect([broker = '']: readonly string[]): Promise<WireClient> {
    const [host, port] = broker.split(':');
    const socket = connect({ host: host ?? '', port: Number(port) });
    await once(socket, 'connect');
    onCleanup(() => socket.destroy());
    return new WireClient(socket);
  }

  /** Sends a request and resolves with its decoded answer; `Answer` is what the test looks at. */
  async send<Answer>(name: WireRequest, fields: unknown): Promise<Answer> {
    const definition = requests[name];
    if (definition === undefined) throw new Error(`kafkajs has no request ${name}`);
    const { request, response } = definition.protocol({ version: VERSIONS[name] })(fields);
    const correlationId = this.#correlationId++;
    const frame = await frameOf({ correlationId, clientId: 'wire-client', request });
    const body = new Promise<Buffer>((resolve, reject) => {
      this.#waiting.set(correlationId, { resolve, reject });
    });
    this.socket.write(frame.buffer);
    return (await response.decode(await body)) as Answer;
  }

  close(): void {
    this.socket.destroy();
  }

  #take(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    while (this.#received.length >= 8) {
      const end = 4 + this.#received.readInt32BE(0);
      if (this.#received.length < end) return;
      const correlationId = this.#received.readInt32BE(4);
      const body = Buffer.from(this.#received.subarray(8, end));
      this.#received = this.#received.subarray(end);
      this.#waiting.get(correlationId)?.resolve(body);
      this.#waiting.delete(correlationId);
    }
  }
}
