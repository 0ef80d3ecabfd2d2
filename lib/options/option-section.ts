import { nearestName } from './nearest-name.js';
import type { OptionProblems } from './option-problems.js';

/** Names of the options of one object. */
type Name<T> = keyof T & string;

/** A range of numbers, both ends included. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/**
 * Reads one object of the caller's options, never writing to it.
 *
 * Each read answers the value when it is allowed, and `undefined` when it is absent or wrong; what
 * is wrong is added to the problems. The names read are the names that exist: `refuseOthers`, called
 * last, reports every other one.
 */
export class OptionSection<T extends object> {
  readonly #given: T | null;
  readonly #names = new Set<string>();

  /** @param given the object as it came; taken for what it is declared as, each value is checked when read. */
  constructor(
    readonly problems: OptionProblems,
    private readonly path: string,
    given: unknown,
    allowed = 'an object',
  ) {
    this.#given = isObject(given) ? (given as T) : null;
    if (this.#given === null)
      problems.add(path === '' ? 'options' : path, `must be ${allowed}, got ${kindOf(given)}`);
  }

  /** The full path of one option. */
  pathOf(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }

  /** Whether there is an object to read at all. */
  get isGiven(): boolean {
    return this.#given !== null;
  }

  /** Whether the option was given, right or wrong. */
  has(name: Name<T>): boolean {
    return this.#given?.[name] !== undefined;
  }

  /** @param got what is shown of a wrong value: by default its kind alone. */
  value<K extends Name<T>>(
    name: K,
    allowed: string,
    accepts: (value: unknown) => boolean,
    got: (value: unknown) => string = kindOf,
  ): NonNullable<T[K]> | undefined {
    this.#names.add(name);
    const value = this.#given?.[name];
    if (value === undefined) return undefined;
    if (value !== null && accepts(value)) return value;
    this.refuse(name, `must be ${allowed}, got ${got(value)}`);
    return undefined;
  }

  integer<K extends Name<T>>(name: K, { min, max }: Range): NonNullable<T[K]> | undefined {
    const allowed = `an integer from ${String(min)} to ${String(max)}`;
    return this.value(
      name,
      allowed,
      (value) => Number.isSafeInteger(value) && within(value, min, max),
      numberOrKind,
    );
  }

  number<K extends Name<T>>(name: K, { min, max }: Range): NonNullable<T[K]> | undefined {
    const allowed = `a number from ${String(min)} to ${String(max)}`;
    return this.value(name, allowed, (value) => within(value, min, max), numberOrKind);
  }

  boolean<K extends Name<T>>(name: K): NonNullable<T[K]> | undefined {
    return this.value(name, 'true or false', (value) => typeof value === 'boolean');
  }

  text<K extends Name<T>>(name: K): NonNullable<T[K]> | undefined {
    return this.value(name, 'a text that is not empty', isText);
  }

  oneOf<K extends Name<T>>(
    name: K,
    values: readonly NonNullable<T[K]>[],
  ): NonNullable<T[K]> | undefined {
    const allowed = `one of ${values.map((value) => `'${String(value)}'`).join(', ')}`;
    return this.value(name, allowed, (value) => values.some((one) => one === value), otherOrKind);
  }

  callback<K extends Name<T>>(name: K): NonNullable<T[K]> | undefined {
    return this.value(name, 'a function', (value) => typeof value === 'function');
  }

  /** Whether the option was switched off, where that is allowed. */
  isFalse(name: Name<T>): boolean {
    this.#names.add(name);
    return this.#given?.[name] === false;
  }

  /** Whether the option was given as an object, where that is one way among others. */
  isObject(name: Name<T>): boolean {
    return isObject(this.#given?.[name]);
  }

  /** Reads an object inside this one; `undefined` when it is absent. */
  section<K extends Name<T>, R>(
    name: K,
    read: (section: OptionSection<Extract<NonNullable<T[K]>, object>>) => R,
    allowed?: string,
  ): R | undefined {
    this.#names.add(name);
    if (!this.has(name)) return undefined;
    const section = new OptionSection<Extract<NonNullable<T[K]>, object>>(
      this.problems,
      this.pathOf(name),
      this.#given?.[name],
      allowed,
    );
    return section.readAll(read);
  }

  /** Reads an object whose keys the caller chose, each value an object of options. */
  record<V extends object, R>(
    name: Name<T>,
    read: (section: OptionSection<V>, key: string) => R,
  ): ReadonlyMap<string, R> {
    this.#names.add(name);
    const given: unknown = this.#given?.[name];
    if (given === undefined) return new Map();
    if (!isObject(given)) {
      this.refuse(name, `must be an object, got ${kindOf(given)}`);
      return new Map();
    }
    return new Map(
      Object.entries(given).map(([key, value]) => {
        const path = `${this.pathOf(name)}['${key}']`;
        const section = new OptionSection<V>(this.problems, path, value);
        return [key, section.readAll((one) => read(one, key))];
      }),
    );
  }

  /** Reads a list of objects, each of options. */
  list<V extends object, R>(
    name: Name<T>,
    read: (section: OptionSection<V>) => R,
  ): readonly R[] | undefined {
    const given: unknown = this.value(name, 'a list of objects', Array.isArray);
    if (!Array.isArray(given)) return undefined;
    return given.map((each: unknown, index) => {
      const path = `${this.pathOf(name)}[${String(index)}]`;
      return new OptionSection<V>(this.problems, path, each).readAll(read);
    });
  }

  /** Reads what `read` reads and refuses the rest; an object that is none is not complained of twice. */
  readAll<R>(read: (section: this) => R): R {
    const result = read(this);
    this.refuseOthers();
    return result;
  }

  refuse(name: string, problem: string): void {
    this.problems.add(this.pathOf(name), problem);
  }

  refuseOthers(): void {
    const names = [...this.#names];
    for (const name of Object.keys(this.#given ?? {})) {
      if (this.#names.has(name)) continue;
      const meant = nearestName(name, names);
      const hint =
        meant === null ? `there are ${names.join(', ')}` : `did you mean ${this.pathOf(meant)}?`;
      this.refuse(name, `is not an option; ${hint}`);
    }
  }
}

/** The same values without those that are absent, so that spreading them overrides nothing. */
export function onlyGiven<T extends object>(
  values: T,
): { readonly [K in keyof T]?: Exclude<T[K], undefined> } {
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]?: Exclude<T[K], undefined> };
}

export function isText(value: unknown): boolean {
  return typeof value === 'string' && value.trim() !== '';
}

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether the value has a function under each of the names. */
export function hasMethods(value: unknown, names: readonly string[]): boolean {
  return isObject(value) && names.every((name) => typeof Reflect.get(value, name) === 'function');
}

function within(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && value >= min && value <= max;
}

/** Never the value itself: a secret may be in the wrong place. */
function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return value.trim() === '' ? 'an empty text' : 'a text';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

function numberOrKind(value: unknown): string {
  return typeof value === 'number' ? String(value) : kindOf(value);
}

function otherOrKind(value: unknown): string {
  return typeof value === 'string' ? 'another text' : kindOf(value);
}
