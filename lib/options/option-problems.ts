import { InvalidOptionsError, type OptionProblem } from '../kafka-events.errors.js';

/** Gathers everything wrong with the options, so that one boot shows all of it. */
export class OptionProblems {
  readonly #problems: OptionProblem[] = [];

  get list(): readonly OptionProblem[] {
    return this.#problems;
  }

  /** @param problem what is wrong and what is allowed; never the value of a text, it may be a secret. */
  add(option: string, problem: string): void {
    this.#problems.push({ option, problem });
  }

  /** True when one of the options, or a part of it, is wrong: rules built on it would mislead. */
  concern(...options: readonly string[]): boolean {
    return this.#problems.some(({ option }) =>
      options.some((name) => option === name || /^[.[]/.test(after(option, name))),
    );
  }

  /** @throws InvalidOptionsError when there is any problem. */
  throwIfAny(): void {
    if (this.#problems.length > 0) throw new InvalidOptionsError(this.#problems);
  }
}

function after(text: string, prefix: string): string {
  return text.startsWith(prefix) ? text.slice(prefix.length) : '';
}
