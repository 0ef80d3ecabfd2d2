import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';

import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import { toError } from '../kafka-events.errors.js';
import { EventOutcome } from './event-outcome.js';
import { enhancersOn, globalEnhancers, type HandlerMethod } from './handler-method.js';
import { CATCH_METADATA } from './nest-metadata.js';

interface BoundFilter {
  readonly filter: ExceptionFilter;
  /** Of its `@Catch(...)`; empty catches everything. */
  readonly types: readonly unknown[];
}

/**
 * The exception filters of one handler: the method's, then the class's, then the global ones, each
 * list from its end, as Nest has it. The first that catches the error's class is asked, no other.
 *
 * Nest's own run of filters outside HTTP takes whatever a filter returns, a pending promise too, for
 * success. Here only an `EventOutcome` counts, at once, in a Promise or as an Observable's last value.
 */
export class ExceptionFilters {
  private readonly filters: readonly BoundFilter[];

  constructor(method: HandlerMethod, globals: ApplicationConfig) {
    this.filters = [...globalEnhancers(globals, 'filter'), ...enhancersOn(method, 'filter')]
      .map((filter) => instanceOf(filter, method))
      .filter((filter) => filter !== null)
      .map((filter) => ({ filter, types: caughtBy(filter) }))
      .reverse();
  }

  /**
   * The outcome a filter decided on; null when none catches the error or it decided nothing.
   *
   * Never rejects: what a filter throws goes to `onFilterError`, unless it is the error itself,
   * by which a filter says that it has nothing to say.
   */
  run(
    error: Error,
    host: ArgumentsHost,
    onFilterError: (error: Error) => void,
  ): MaybePromise<EventOutcome | null> {
    const failed = (thrown: unknown): null => {
      if (thrown !== error) onFilterError(toError(thrown));
      return null;
    };
    try {
      const bound = this.filters.find(({ types }) => catches(types, error));
      const returned: unknown = bound?.filter.catch(error, host);
      if (isPromise(returned) || isObservable(returned)) {
        return lastOf(returned).then(outcomeIn, failed);
      }
      return outcomeIn(returned);
    } catch (thrown) {
      return failed(thrown);
    }
  }
}

async function lastOf(returned: unknown): Promise<unknown> {
  const value = await returned;
  return isObservable(value) ? lastValueFrom(value, { defaultValue: null }) : value;
}

function outcomeIn(value: unknown): EventOutcome | null {
  return value instanceof EventOutcome ? value : null;
}

function catches(types: readonly unknown[], error: Error): boolean {
  return (
    types.length === 0 || types.some((type) => typeof type === 'function' && error instanceof type)
  );
}

/** The filter behind a decorator's argument: an instance as it is, a class as the host's module made it. */
function instanceOf(filter: unknown, { host }: HandlerMethod): ExceptionFilter | null {
  const made: unknown =
    typeof filter === 'function'
      ? (host.module.injectables.get(filter)?.instance ?? filter)
      : filter;
  return isFilter(made) ? made : null;
}

function isFilter(value: unknown): value is ExceptionFilter {
  const isObject = typeof value === 'object' || typeof value === 'function';
  return isObject && value !== null && 'catch' in value && typeof value.catch === 'function';
}

function caughtBy(filter: object): readonly unknown[] {
  const types: unknown =
    Reflect.getMetadata(CATCH_METADATA, Object(Reflect.getPrototypeOf(filter)) as object) ??
    Reflect.getMetadata(CATCH_METADATA, filter.constructor);
  return Array.isArray(types) ? types : [];
}
