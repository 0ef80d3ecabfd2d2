import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.js';
import { freePorts } from './free-ports.js';
import { killWhenOrphaned } from './kill-when-orphaned.js';

const HOST = '127.0.0.1';

/**
 * A real Redis in a process of its own, on a free loopback port, every write on disk before it is
 * answered; its data survives its process. Stopped after the test or file.
 */
export class RedisServer {
  #process: ChildProcess | undefined;
  #watchdog: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly settings: readonly string[],
  ) {}

  /** `settings` as on the command line: `['--maxmemory-policy', 'allkeys-lru']`. */
  static async start(...settings: string[]): Promise<RedisServer> {
    const [port] = await freePorts(1);
    const directory = await mkdtemp(join(tmpdir(), 'redis-'));
    const server = new RedisServer(port, directory, settings);
    try {
      await server.boot();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  get address(): { readonly host: string; readonly port: number } {
    return { host: HOST, port: this.port };
  }

  /** Starts the process, again after `shutDown`: same port, same data. */
  async boot(): Promise<void> {
    const persistent = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];
    const place = ['--bind', HOST, '--port', String(this.port), '--dir', this.directory];
    const started = spawn('redis-server', [...place, ...persistent, ...this.settings], {
      stdio: 'ignore',
    });
    await once(started, 'spawn');
    this.#process = started;
    this.#watchdog = killWhenOrphaned(this.#pid, this.directory);
    await eventually(() => this.#answers(), { message: `an answer of Redis on ${this.port}` });
  }

  /** Freezes the process: connections stay open and nothing answers any more. */
  pause(): void {
    process.kill(this.#pid, 'SIGSTOP');
  }

  /** Ends a `pause`. */
  resume(): void {
    process.kill(this.#pid, 'SIGCONT');
  }

  /** Ends the process and keeps its data. */
  async shutDown(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    const running = this.#process;
    if (running === undefined) return;
    this.#process = undefined;
    const exited = once(running, 'exit');
    running.kill(signal);
    running.kill('SIGCONT');
    await exited;
    this.#watchdog?.kill('SIGKILL');
  }

  /** Ends the process and removes its data. May be called twice. */
  async stop(): Promise<void> {
    await this.shutDown();
    await rm(this.directory, { recursive: true, force: true });
  }

  get #pid(): number {
    const pid = this.#process?.pid;
    if (pid === undefined) throw new Error('Redis is not running');
    return pid;
  }

  /** A refusal is an answer, too: there may be a password. */
  async #answers(): Promise<boolean> {
    const socket = connect(this.address);
    try {
      await once(socket, 'connect');
      socket.write('PING\r\n');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      return /^(\+PONG|-NOAUTH)/.test(answer.toString());
    } finally {
      socket.destroy();
    }
  }
}
