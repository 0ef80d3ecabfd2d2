import { ForbiddenException, HttpException, type CanActivate } from '@nestjs/common';
import { ExternalContextCreator, ModulesContainer, NestContainer } from '@nestjs/core';
import type { ApplicationConfig } from '@nestjs/core';
import { isObservable, lastValueFrom } from 'rxjs';

import type { InvocationFault } from '../failure/retry-policy.js';
import type { HandledContext } from './event-handler.js';
import type { HandlerHost, NestModule } from './handler-host.js';
import type { HandlerMethod } from './handler-method.js';
import {
  CONTEXT_PARAM,
  CONTEXT_TYPE,
  PARAM_ARGS_METADATA,
  PAYLOAD_PARAM,
} from './nest-metadata.js';

/** Calls a method as Nest would: guards, interceptors, pipes, then the body. */
export type NestCall = (payload: unknown, context: HandledContext) => Promise<unknown>;

/** What is known of errors by identity; one that is not in here came from anywhere else. */
export type FaultMarks = WeakMap<object, InvocationFault>;

/** Statuses by which a pipe says that the payload is wrong; a 404 or 409 may pass a second later. */
const REFUSALS: readonly number[] = [400, 406, 422];

/**
 * Puts a method behind its guards, interceptors and pipes, with `globals` in front of its own.
 *
 * Nest's `ExternalContextCreator` does the work. It is given a view of the host's module alone, in
 * which controllers are providers: it looks for a host among providers only, and would leave out the
 * enhancers of a controller. Filters stay outside, see `ExceptionFilters`.
 *
 * A batch is nothing for pipes: with `batches` they run for custom parameters alone.
 *
 * An interceptor or method whose Observable completes without a value fails with rxjs' EmptyError.
 */
export function createNestCall(
  { host, name, callback }: HandlerMethod,
  globals: ApplicationConfig,
  faults: FaultMarks,
  { batches }: { readonly batches: boolean },
): NestCall {
  const creator = ExternalContextCreator.fromContainer(new HostContainer(globals, host));
  giveUndecoratedParams(creator);
  markDenials(creator, faults);
  markRefusals(creator, faults, batches ? [CONTEXT_PARAM, PAYLOAD_PARAM] : [CONTEXT_PARAM]);
  return creator.create(
    host.instance,
    callback,
    name,
    PARAM_ARGS_METADATA,
    { exchangeKeyForValue: valueOfParam },
    undefined,
    host.wrapper.id, // transient enhancers have one instance per host
    { guards: true, interceptors: true, filters: false },
    CONTEXT_TYPE,
  );
}

/** A container that holds the host's module and nothing else. */
class HostContainer extends NestContainer {
  private readonly hostModules = new ModulesContainer();

  constructor(globals: ApplicationConfig, { module, wrapper }: HandlerHost) {
    super(globals);
    const providers = new Map([...module.providers, [wrapper.token, wrapper]]);
    const view = Object.create(module, { providers: { value: providers } }) as NestModule;
    this.hostModules.set(module.token, view);
  }

  override getModules(): ModulesContainer {
    return this.hostModules;
  }
}

/** The value of an own parameter decorator; what other transports' decorators want is not here. */
function valueOfParam(type: number, field: unknown, [payload, context]: unknown[]): unknown {
  if (type === CONTEXT_PARAM) return context;
  if (type !== PAYLOAD_PARAM) return null;
  return typeof field === 'string' && field !== '' ? fieldOf(payload, field) : payload;
}

/** What `@Payload('field')` gives; undefined for a payload without fields, as `?.` has it. */
export function fieldOf(payload: unknown, field: string): unknown {
  return payload === null || payload === undefined
    ? undefined
    : (payload as Readonly<Record<string, unknown>>)[field];
}

/** Without decorated parameters there is the payload, which pipes see, and then the context. */
function giveUndecoratedParams(creator: ExternalContextCreator): void {
  const getMetadata = creator.getMetadata.bind(creator);
  creator.getMetadata = (...args) => {
    const metadata = getMetadata(...args);
    if (metadata.argsLength > 0) return metadata;
    const getParamsMetadata = () =>
      [PAYLOAD_PARAM, CONTEXT_PARAM].map((type, index) => ({
        index,
        type,
        data: '',
        pipes: [],
        extractValue: (...call: unknown[]) => call[index],
      }));
    return { ...metadata, argsLength: 2, getParamsMetadata };
  };
}

/** Nest answers a guard's `false` with a ForbiddenException of its own, which no guard has thrown. */
function markDenials(creator: ExternalContextCreator, faults: FaultMarks): void {
  const createGuardsFn = creator.createGuardsFn.bind(creator);
  creator.createGuardsFn = (guards: CanActivate[], ...rest) => {
    const thrown = new WeakSet();
    const run = createGuardsFn(
      guards.map((guard) => watchGuard(guard, thrown)),
      ...rest,
    ) as ((args: unknown[]) => Promise<void>) | null;
    if (run === null) return null;
    return async (args: unknown[]) => {
      try {
        await run(args);
      } catch (error) {
        if (error instanceof ForbiddenException && !thrown.has(error)) {
          faults.set(error, 'rejected-by-guard');
        }
        throw error;
      }
    };
  };
}

function watchGuard(guard: CanActivate, thrown: WeakSet<object>): CanActivate {
  return {
    async canActivate(context) {
      try {
        const answer = await guard.canActivate(context);
        return isObservable(answer) ? await lastValueFrom(answer) : answer;
      } catch (error) {
        if (typeof error === 'object' && error !== null) thrown.add(error);
        throw error;
      }
    },
  };
}

/** Pipes run between the interceptors and the body: what is thrown in there is theirs. */
function markRefusals(
  creator: ExternalContextCreator,
  faults: FaultMarks,
  unpiped: readonly unknown[],
): void {
  const createPipesFn = creator.createPipesFn.bind(creator);
  creator.createPipesFn = (pipes, params) => {
    // `@Ctx()` takes no pipes of its own, and those of the class are meant for payloads.
    const asTheyAre = params.filter(({ type }) => unpiped.includes(type));
    const run = createPipesFn(
      pipes,
      params.filter(({ type }) => !unpiped.includes(type)),
    );
    return async (args, ...call) => {
      for (const { index, type, data } of asTheyAre) {
        args[index] = valueOfParam(type as number, data, call);
      }
      try {
        await run?.(args, ...call);
      } catch (error) {
        if (error instanceof HttpException && REFUSALS.includes(error.getStatus())) {
          faults.set(error, 'rejected-by-pipe');
        }
        throw error;
      }
    };
  };
}
