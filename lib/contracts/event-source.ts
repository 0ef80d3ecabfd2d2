import { InvalidDefinitionError } from '../kafka-events.errors.js';
import type { EventContract } from './event-contract.js';

/** Where a declared event keeps its contract. Registered, so that two copies of the package agree. */
export const CONTRACT = Symbol.for('nestjs-kafka-events:contract');

/** A class decorated with `@DomainEvent`. */
export type EventClass<T extends object = object> = new (...args: never[]) => T;

/** What `defineEvent` returns. `Input` is what callers publish, `Output` what handlers get. */
export interface DefinedEvent<Input = unknown, Output = unknown> {
  readonly type: string;
  readonly version: number;
  readonly topic: string;
  readonly [CONTRACT]: EventContract;
  /** Types only; never present at run time. */
  readonly '~payload'?: { readonly input: Input; readonly output: Output };
}

/** Anything that names an event: a decorated class or a definition. */
export type EventSource = EventClass | DefinedEvent;

/** The data of a class: its properties without its methods, so that object literals satisfy it. */
export type PayloadOf<T> = {
  [K in keyof T as T[K] extends (...args: never[]) => unknown ? never : K]: T[K];
};

/** What `publish` takes for an event. */
export type PublishPayload<S extends EventSource> =
  S extends DefinedEvent<infer Input>
    ? Input
    : S extends EventClass<infer T>
      ? PayloadOf<T>
      : never;

/** What a handler of an event is given. */
export type EventPayload<S extends EventSource> =
  S extends DefinedEvent<unknown, infer Output>
    ? Output
    : S extends EventClass<infer T>
      ? T
      : never;

/**
 * The contract behind a declared event.
 *
 * @throws InvalidDefinitionError for a class without `@DomainEvent` or any other value.
 */
export function contractOf(source: EventSource): EventContract {
  if (hasContract(source)) return source[CONTRACT];
  throw new InvalidDefinitionError(
    `${describe(source)} is not an event: decorate the class with ` +
      '@DomainEvent({ type, version, topic, key }), or declare it with defineEvent(...)',
  );
}

function hasContract(source: unknown): source is { readonly [CONTRACT]: EventContract } {
  // Own only: a subclass of an event is another class, and says so itself if it is an event too.
  return source !== undefined && source !== null && Object.hasOwn(source, CONTRACT);
}

function describe(source: unknown): string {
  if (source === undefined) return 'undefined (two files importing each other?)';
  return typeof source === 'function' ? `class ${source.name}` : `a value of type ${typeof source}`;
}
