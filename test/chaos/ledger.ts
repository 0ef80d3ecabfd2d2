import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

/**
 * - `sent`: a producer has the acknowledgement.
 * - `effect`: a handler did what it does, as far as the world outside can tell.
 * - `done`, `dead`: the idempotency store has confirmed the mark of a handler's claim.
 * - `fault`: the engine reported a defect of its own.
 */
export const ENTRY_KINDS = ['sent', 'effect', 'done', 'dead', 'fault'] as const;

export interface LedgerEntry {
  /** Milliseconds, `performance.now()`. */
  readonly at: number;
  readonly what: (typeof ENTRY_KINDS)[number];
  readonly eventId: string;
  /** Who says so: name and process id. */
  readonly by: string;
  /** Of `sent`. */
  readonly partition?: number;
}

/**
 * The world outside: consumers make their effects here, in another process than any that dies, and
 * one has happened when it is written down. It is also the dependency that can be away: then it
 * refuses every effect.
 *
 * One line for each entry, over a connection on the loopback; see `LedgerClient`.
 */
export class Ledger {
  readonly entries: LedgerEntry[] = [];
  isAway = false;
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly onEntry: (entry: LedgerEntry) => void,
  ) {
    server.on('connection', (socket) => {
      this.#serve(socket);
    });
  }

  static async open(onEntry: (entry: LedgerEntry) => void = () => undefined): Promise<Ledger> {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return new Ledger(server, onEntry);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  count(what: LedgerEntry['what']): number {
    return this.entries.reduce((sum, entry) => sum + Number(entry.what === what), 0);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await once(this.server.close(), 'close');
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    const lines = createInterface({ input: socket });
    // A process that is killed resets its connection; the interface emits it once more.
    for (const emitter of [socket, lines]) emitter.on('error', () => undefined);
    lines.on('line', (line) => {
      const [what, by = '', eventId = '', detail = ''] = line.split('\t');
      if (what === 'effect' && this.isAway) {
        socket.write(`${detail} refused\n`);
        return;
      }
      const kind = ENTRY_KINDS.find((each) => each === what);
      // What a kill cut off in the middle has not been said.
      if (kind === undefined) return;
      const entry = { at: performance.now(), what: kind, eventId, by };
      this.#write(kind === 'sent' ? { ...entry, partition: Number(detail) } : entry);
      if (kind === 'effect') socket.write(`${detail} taken\n`);
    });
  }

  #write(entry: LedgerEntry): void {
    this.entries.push(entry);
    this.onEntry(entry);
  }
}
