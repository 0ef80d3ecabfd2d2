import type { LoggerService } from '@nestjs/common';
import { inspect } from 'node:util';

/** A Nest logger that keeps everything it is given, to be searched by tests. */
export class LogCapture implements LoggerService {
  readonly lines: string[] = [];

  readonly log = this.#keep('log');
  readonly error = this.#keep('error');
  readonly warn = this.#keep('warn');
  readonly debug = this.#keep('debug');
  readonly verbose = this.#keep('verbose');
  readonly fatal = this.#keep('fatal');

  get text(): string {
    return this.lines.join('\n');
  }

  #keep(level: string): (...args: unknown[]) => void {
    return (...args) => {
      this.lines.push(`${level} ${args.map(everythingOf).join(' ')}`);
    };
  }
}

/** All that an error or value shows to whoever prints it, causes and hidden properties included. */
export function everythingOf(value: unknown): string {
  return inspect(value, { depth: Infinity, showHidden: true, maxStringLength: Infinity });
}
