import { ApplicationConfig } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';

import type { EventContract } from '../contracts/event-contract.js';
import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import { EventArgumentsHost } from './event-arguments-host.js';
import type { BoundHandler, HandledContext } from './event-handler.js';
import { ExceptionFilters } from './exception-filters.js';
import {
  enhancersOn,
  globalEnhancers,
  paramsOf,
  type HandlerMethod,
  type HandlerParam,
} from './handler-method.js';
import type { HandlerSettings } from './handler-options.js';
import { createNestCall, fieldOf, type FaultMarks } from './nest-pipeline.js';

type Call = (payload: unknown, context: HandledContext) => MaybePromise<unknown>;

/**
 * Makes a decorated method callable by the engine.
 *
 * A method without guards, interceptors and pipes, whose parameters are `@Payload()`, `@Ctx()` or
 * undecorated, is called directly: what it returns or throws at once is returned or thrown at once.
 *
 * @param globals the enhancers that run in front of the handler's own; empty for none.
 */
export function bindHandler(
  method: HandlerMethod,
  settings: HandlerSettings,
  contracts: readonly EventContract[],
  globals: ApplicationConfig = new ApplicationConfig(),
): BoundHandler {
  const faults: FaultMarks = new WeakMap();
  const batches = settings.batch !== null;
  const invoke =
    directCall(method, globals, batches) ?? createNestCall(method, globals, faults, { batches });
  const filters = new ExceptionFilters(method, globals);
  return {
    settings,
    contracts,
    invoke,
    faultOf: (error) => faults.get(error) ?? 'body',
    filter: (error, payload, context, onFilterError) =>
      filters.run(error, new EventArgumentsHost(method, payload, context), onFilterError),
  };
}

/** What runs around a batch, too. */
const UNPIPED = ['guard', 'interceptor'] as const;

/** Null when only Nest can make the call. */
function directCall(
  method: HandlerMethod,
  globals: ApplicationConfig,
  batches: boolean,
): Call | null {
  const params = paramsOf(method);
  const isPlain =
    (batches ? UNPIPED : [...UNPIPED, 'pipe' as const]).every(
      (kind) =>
        enhancersOn(method, kind).length === 0 && globalEnhancers(globals, kind).length === 0,
    ) && params.every(({ kind, pipes }) => kind !== 'other' && pipes.length === 0);
  if (!isPlain) return null;

  const { callback } = method;
  const { instance } = method.host;
  if (params.length === 0) {
    return (payload, context) => lastValueOf(callback.call(instance, payload, context));
  }
  const readers = readersOf(params);
  return (payload, context) =>
    lastValueOf(
      callback.apply(
        instance,
        readers.map((read) => read(payload, context)),
      ),
    );
}

/** One per position; a gap between decorated parameters reads undefined, as in Nest. */
function readersOf(params: readonly HandlerParam[]): Call[] {
  const length = Math.max(...params.map(({ index }) => index)) + 1;
  const readers = Array.from({ length }, (): Call => () => undefined);
  for (const param of params) readers[param.index] = readerOf(param);
  return readers;
}

function readerOf({ kind, field }: HandlerParam): Call {
  if (kind === 'context') return (_payload, context) => context;
  return field === null ? (payload) => payload : (payload) => fieldOf(payload, field);
}

/** An Observable is work not yet begun, also where an async method returns it. */
function lastValueOf(returned: unknown): MaybePromise<unknown> {
  if (isObservable(returned)) return lastValueFrom(returned);
  return isPromise(returned) ? returned.then(lastValueOf) : returned;
}
