import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { chown, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { userInfo, tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.js';
import { freePorts } from './free-ports.js';
import { killWhenOrphaned } from './kill-when-orphaned.js';

const HOST = '127.0.0.1';

/** Where Debian keeps what it does not put into the PATH. */
const DEBIAN_VERSIONS = '/usr/lib/postgresql';

/** A kill followed by a start may find processes of the killed server that have not noticed yet. */
const BOOT_MS = 30_000;

/** The folder of `postgres` and `initdb`; null where they are not installed. */
export async function postgresBinaries(): Promise<string | null> {
  const versions = await readdir(DEBIAN_VERSIONS).catch(() => []);
  const newest = versions.map(Number).sort((a, b) => b - a)[0];
  if (newest !== undefined) return join(DEBIAN_VERSIONS, String(newest), 'bin');
  try {
    return execFileSync('pg_config', ['--bindir'], { encoding: 'utf8' }).trim();
  } catch {
    return null;
  }
}

/**
 * A real Postgres in a process of its own, on a free loopback port, every commit on disk before it is
 * answered; its data survives its process. Stopped after the test or file.
 */
export class PostgresServer {
  #process: ChildProcess | undefined;
  #watchdog: ChildProcess | undefined;

  private constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly binaries: string,
    private readonly owner: Owner,
    private readonly settings: readonly string[],
  ) {}

  /** `settings` as on the command line: `['-c', 'max_connections=20']`. */
  static async start(...settings: string[]): Promise<PostgresServer> {
    const binaries = await postgresBinaries();
    if (binaries === null) throw new Error('Postgres is not installed: apt-get install postgresql');
    const owner = unprivileged();
    const [port] = await freePorts(1);
    const directory = await mkdtemp(join(tmpdir(), 'postgres-'));
    const server = new PostgresServer(port, directory, binaries, owner, settings);
    try {
      await server.#create();
      await server.boot();
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** Of a superuser without a password, for one of its databases. */
  urlOf(database: string): string {
    return `postgres://postgres@${HOST}:${String(this.port)}/${database}`;
  }

  get address(): { readonly host: string; readonly port: number } {
    return { host: HOST, port: this.port };
  }

  /** Starts the process, again after `shutDown`: same port, same data. */
  async boot(): Promise<void> {
    const deadline = performance.now() + BOOT_MS;
    while (!(await this.#tryToBoot())) {
      if (performance.now() < deadline) continue;
      const log = await readFile(this.#log, 'utf8').catch(() => 'no log');
      throw new Error(`Postgres does not start:\n${log.slice(-2_000)}`);
    }
  }

  /** Ends the process and keeps its data: killed like the machine it runs on, or asked to go. */
  async shutDown(signal: 'SIGINT' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    const running = this.#process;
    if (running === undefined) return;
    this.#process = undefined;
    this.#watchdog?.kill('SIGKILL');
    if (running.exitCode !== null || running.signalCode !== null) return;
    const exited = once(running, 'exit');
    running.kill(signal);
    await exited;
  }

  /** Ends the process and removes its data. May be called twice. */
  async stop(): Promise<void> {
    await this.shutDown();
    // Its children notice that it is gone, and may write to the very end.
    await rm(this.directory, { recursive: true, force: true, maxRetries: 10 });
  }

  get #log(): string {
    return join(this.directory, 'log');
  }

  async #create(): Promise<void> {
    const { uid, gid } = this.owner;
    if (uid !== undefined && gid !== undefined) await chown(this.directory, uid, gid);
    const trusting = ['--auth', 'trust', '--username', 'postgres', '--encoding', 'UTF8'];
    // What is created is lost with a crash of the machine alone, and then nobody looks for it.
    const args = [
      ...trusting,
      '--no-locale',
      '--no-sync',
      '--pgdata',
      join(this.directory, 'data'),
    ];
    const initdb = spawn(join(this.binaries, 'initdb'), args, { ...this.owner, stdio: 'pipe' });
    const errors: Buffer[] = [];
    initdb.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
    initdb.stdout.resume();
    const [code] = (await once(initdb, 'close')) as [number | null];
    if (code !== 0) throw new Error(`initdb failed: ${Buffer.concat(errors).toString()}`);
  }

  async #tryToBoot(): Promise<boolean> {
    const log = openSync(this.#log, 'a');
    const place = ['-D', join(this.directory, 'data'), '-p', String(this.port)];
    const reach = ['-c', `listen_addresses=${HOST}`, '-c', 'unix_socket_directories='];
    const started = spawn(join(this.binaries, 'postgres'), [...place, ...reach, ...this.settings], {
      ...this.owner,
      stdio: ['ignore', log, log],
      // Out of reach of a Ctrl-C, on which it would wait for its clients.
      detached: true,
    });
    closeSync(log);
    await once(started, 'spawn');
    this.#process = started;
    this.#watchdog = killWhenOrphaned(started.pid ?? 0, this.directory);
    const up = await eventually(() => (this.#hasEnded(started) ? 'no' : this.#answers()), {
      timeoutMs: BOOT_MS,
      message: `an answer of Postgres on ${String(this.port)}`,
    });
    if (up === 'no') await this.shutDown();
    return up === 'yes';
  }

  #hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
    return exitCode !== null || signalCode !== null;
  }

  async #answers(): Promise<'yes' | null> {
    const args = ['--host', HOST, '--port', String(this.port), '--quiet'];
    const asked = spawn(join(this.binaries, 'pg_isready'), args, { stdio: 'ignore' });
    const [code] = (await once(asked, 'exit')) as [number | null];
    return code === 0 ? 'yes' : null;
  }
}

interface Owner {
  readonly uid?: number;
  readonly gid?: number;
  readonly cwd: string;
}

/** Postgres refuses to run as root. */
function unprivileged(): Owner {
  if (userInfo().uid !== 0) return { cwd: tmpdir() };
  const idOf = (flag: '-u' | '-g') =>
    Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: idOf('-u'), gid: idOf('-g'), cwd: tmpdir() };
}
