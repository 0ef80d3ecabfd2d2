import type { LoggerService } from '@nestjs/common';
import { inspect } from 'node:util';

/** A Nest logger that keeps everything it is given, to be searched by tests. */
export class LogCapture implements LoggerService {
  readonly lines: string[] = [];

  readonly log = (...args: unknown[]) => this.#keep('log', args);
  readonly error = (...args: unknown[]) => this.#keep('error', args);
  readonly warn = (...args: unknown[]) => this.#keep('warn', args);
  readonly debug = (...args: unknown[]) => this.#keep('debug', args);
  readonly verbose = (...args: unknown[]) => this.#keep('verbose', args);
  readonly fatal = (...args: unknown[]) => this.#keep('fatal', args);

  get text(): string {
    return this.lines.join('\n');
  }

  #keep(level: string, args: unknown[]): void {
    this.lines.push(`${level} ${args.map(everythingOf).join(' ')}`);
  }
}

/** All that an error or value shows to whoever prints it, causes and hidden properties included. */
export function everythingOf(value: unknown): string {
  return inspect(value, { depth: Infinity, showHidden: true, maxStringLength: Infinity });
}
