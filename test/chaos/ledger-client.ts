import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { LedgerEntry } from './ledger.js';

/** A process's connection to the `Ledger`. Without one it must not live: it ends with it. */
export class LedgerClient {
  #asked = 0;
  readonly #waiting = new Map<string, (answer: string) => void>();

  private constructor(
    private readonly socket: Socket,
    private readonly by: string,
  ) {
    const lines = createInterface({ input: socket });
    lines.on('line', (line) => {
      const [number = '', answer = ''] = line.split(' ');
      this.#waiting.get(number)?.(answer);
      this.#waiting.delete(number);
    });
    // It closes next.
    for (const emitter of [socket, lines]) emitter.on('error', () => undefined);
    socket.on('close', () => process.exit(1));
  }

  static async connect(port: number, name: string): Promise<LedgerClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.setNoDelay(true);
    return new LedgerClient(socket, `${name}#${process.pid}`);
  }

  /** Resolves when the effect has happened; rejects when the world outside would not have it. */
  async effect(eventId: string): Promise<void> {
    const number = String(++this.#asked);
    const answer = new Promise<string>((resolve) => this.#waiting.set(number, resolve));
    this.note('effect', eventId, number);
    if ((await answer) !== 'taken') throw new Error('the ledger is away');
  }

  note(what: LedgerEntry['what'], eventId: string, detail = ''): void {
    this.socket.write(`${[what, this.by, eventId, detail].join('\t')}\n`);
  }
}
