import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type {
  ClaimAnswer,
  ClaimRequest,
  Completion,
  IdempotencyStore,
  Release,
  Renewal,
} from '../../lib/idempotency/idempotency-store.js';
import type { MemoryIdempotencyStore } from '../../lib/idempotency/memory-idempotency-store.js';
import { onCleanup } from './cleanup.js';
import { eventually } from './eventually.js';

type Method = 'claim' | 'complete' | 'release' | 'renew';

interface Call {
  readonly id: number;
  readonly method: Method;
  readonly requests: never[];
}

interface Answer {
  readonly id: number;
  readonly answers: unknown;
}

export interface StoreServer {
  readonly port: number;
  /** Resolves once no client is connected and all that they said is done. */
  idle(): Promise<void>;
}

/**
 * Serves a store to other processes, in lines of JSON over loopback: like Redis, it outlives the
 * process that uses it. `onCompleted` hears of each completion before its client does.
 */
export async function serveStore(
  store: MemoryIdempotencyStore,
  onCompleted: (completion: Completion) => void,
): Promise<StoreServer> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    linesOf(socket, (line) => {
      const call = JSON.parse(line) as Call;
      const answer: Answer = { id: call.id, answers: answerTo(store, call, onCompleted) };
      socket.write(`${JSON.stringify(answer)}\n`);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  onCleanup(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    idle: async () => {
      await eventually(() => sockets.size === 0, { message: 'the end of the connections' });
    },
  };
}

function answerTo(
  store: MemoryIdempotencyStore,
  { method, requests }: Call,
  onCompleted: (completion: Completion) => void,
): unknown {
  if (method !== 'complete') return store[method](requests) ?? [];
  const answers = store.complete(requests);
  (requests as Completion[]).forEach((completion, i) => {
    if (answers[i] === true) onCompleted(completion);
  });
  return answers;
}

/** The client of `serveStore`. */
export class RemoteStore implements IdempotencyStore {
  readonly name = 'remote';
  readonly inProcess = false;
  readonly #waiting = new Map<number, (answers: unknown) => void>();
  #calls = 0;

  private constructor(private readonly socket: Socket) {
    linesOf(socket, (line) => {
      const { id, answers } = JSON.parse(line) as Answer;
      this.#waiting.get(id)?.(answers);
      this.#waiting.delete(id);
    });
  }

  static async connect(port: number): Promise<RemoteStore> {
    const socket = createConnection(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RemoteStore(socket);
  }

  claim(requests: readonly ClaimRequest[]): Promise<readonly ClaimAnswer[]> {
    return this.#call('claim', requests);
  }
  complete(completions: readonly Completion[]): Promise<readonly boolean[]> {
    return this.#call('complete', completions);
  }
  async release(releases: readonly Release[]): Promise<void> {
    await this.#call('release', releases);
  }
  renew(renewals: readonly Renewal[]): Promise<readonly boolean[]> {
    return this.#call('renew', renewals);
  }
  close(): void {
    this.socket.end();
  }

  // Both ends are in this file: what a method is answered with is what the store's type says.
  #call<T>(method: Method, requests: readonly unknown[]): Promise<T> {
    const id = this.#calls++;
    return new Promise((resolve) => {
      this.#waiting.set(id, (answers) => {
        resolve(answers as T);
      });
      this.socket.write(`${JSON.stringify({ id, method, requests })}\n`);
    });
  }
}

function linesOf(socket: Socket, onLine: (line: string) => void): void {
  const lines = createInterface({ input: socket });
  lines.on('line', onLine);
  // A killed process's connection may end in a reset.
  socket.on('error', () => undefined);
  lines.on('error', () => undefined);
}
