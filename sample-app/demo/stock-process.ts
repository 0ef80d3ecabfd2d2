import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';

const MAIN = new URL('stock-process.child.ts', import.meta.url);

/** The stock service in a process of its own, to be killed and started again. */
export class StockProcess {
  private child: ChildProcess | null = null;

  private constructor(
    readonly url: string,
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  /** On a free port, for the topics with that prefix. */
  static async start(brokers: readonly string[], prefix: string): Promise<StockProcess> {
    const url = `127.0.0.1:${await freePort()}`;
    const env = { KAFKA_BROKERS: brokers.join(','), TOPIC_PREFIX: prefix, STOCK_URL: url };
    const service = new StockProcess(url, { ...process.env, ...env });
    await service.start();
    return service;
  }

  /** Resolves when it listens. @throws Error when it ends instead; what it says is on stderr. */
  async start(): Promise<void> {
    const child = fork(MAIN, { env: this.env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.child = child;
    const ended = once(child, 'exit').then(([code]) => {
      throw new Error(`the stock service could not start, exit code ${String(code)}`);
    });
    await Promise.race([once(child, 'message'), ended]);
    ended.catch(() => undefined);
  }

  /** As a power cut would. */
  async kill(): Promise<void> {
    const { child } = this;
    this.child = null;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
