import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { onCleanup } from './cleanup.js';
import { eventually } from './eventually.js';

const PROJECT = resolve(import.meta.dirname, '../..');

export interface ChildOptions {
  readonly args?: readonly string[];
  /** Added to the environment of the test. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * A TypeScript file running in a Node process of its own, to be talked to in lines and killed:
 * what survives a crash cannot be tested inside the process that crashes.
 * Killed after the test or file at the latest.
 */
export class TestProcess {
  /** Everything written to stdout so far. */
  readonly lines: string[] = [];
  /** Everything written to stderr so far. */
  readonly errors: string[] = [];

  private nextLine = 0;
  private readonly exit: Promise<unknown>;

  private constructor(
    private readonly file: string,
    private readonly child: ChildProcess,
  ) {
    collect(child.stdout, this.lines);
    collect(child.stderr, this.errors);
    // `close` comes after the last line was read, `exit` may not.
    this.exit = once(child, 'close');
    onCleanup(() => this.kill());
  }

  /** Starts `file`: a path from the project root, or a URL such as `new URL(…, import.meta.url)`. */
  static start(file: string | URL, { args = [], env = {} }: ChildOptions = {}): TestProcess {
    const path = typeof file === 'string' ? resolve(PROJECT, file) : fileURLToPath(file.href);
    const child = spawn(
      process.execPath,
      ['--import', '@swc-node/register/esm-register', path, ...args],
      { cwd: PROJECT, env: { ...process.env, ...env }, stdio: 'pipe' },
    );
    return new TestProcess(path, child);
  }

  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`${this.file} did not start`);
    return this.child.pid;
  }

  /** Writes a line to the process's stdin. */
  send(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  /** Waits for a line of stdout, after the last one so awaited, that contains or matches `what`. */
  async waitForLine(what: string | RegExp, timeoutMs = 20_000): Promise<string> {
    const line = await eventually(
      () => {
        // Asked before reading: once it has ended, nothing is added to what we read.
        const ended = this.child.stdout?.closed === true;
        for (let line = this.lines[this.nextLine]; line !== undefined;) {
          this.nextLine++;
          if (typeof what === 'string' ? line.includes(what) : what.test(line)) return { line };
          line = this.lines[this.nextLine];
        }
        return ended && { line: undefined };
      },
      { timeoutMs, message: `the line ${String(what)} of ${this.file}` },
    ).catch((error: unknown) => {
      throw new Error(this.describe(`never wrote ${String(what)}`), { cause: error });
    });
    if (line.line === undefined) {
      throw new Error(this.describe(`ended without writing ${String(what)}`));
    }
    return line.line;
  }

  /** Waits for the end and answers the exit code, `null` after a signal. */
  async waitForExit(): Promise<number | null> {
    await this.exit;
    return this.child.exitCode;
  }

  /** Signals the process, by default like a power cut, and waits for its end. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.child.kill(signal);
    await this.exit;
  }

  private describe(problem: string): string {
    const tail = (lines: string[]) => lines.slice(-20).join('\n');
    return `${this.file} ${problem}\nstdout:\n${tail(this.lines)}\nstderr:\n${tail(this.errors)}`;
  }
}

function collect(stream: NodeJS.ReadableStream | null, into: string[]): void {
  if (stream === null) return;
  createInterface({ input: stream }).on('line', (line) => into.push(line));
}
