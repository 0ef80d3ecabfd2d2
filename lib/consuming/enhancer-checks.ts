import type { ApplicationConfig } from '@nestjs/core';

import { enhancersOn, paramsOf, type HandlerMethod } from './handler-method.js';
import { ENHANCER_METADATA, type EnhancerKind } from './nest-metadata.js';

/** The method that makes something an enhancer of its kind. */
const RUNS: Record<EnhancerKind, string> = {
  guard: 'canActivate',
  interceptor: 'intercept',
  pipe: 'transform',
  filter: 'catch',
};
const KINDS = Object.keys(RUNS) as EnhancerKind[];

/**
 * Enhancers of a handler that Nest would leave out without a word, each as a problem for people.
 *
 * Nest makes an instance of an enhancer class only for hosts it constructs from their class; on a
 * host from `useValue` or `useFactory` such a guard never runs.
 */
export function enhancerProblems(method: HandlerMethod, place: string): string[] {
  return KINDS.flatMap((kind) =>
    [...new Set(enhancersOf(method, kind))].flatMap((enhancer) =>
      typeof enhancer === 'function' ? classProblems(method, kind, enhancer, place) : [],
    ),
  );
}

/**
 * Enhancers of a method that were lost when something put another function in its place on the
 * instance: binding it in the constructor does that.
 */
export function lostEnhancerProblems(
  decorated: HandlerMethod['callback'],
  { callback }: HandlerMethod,
  place: string,
): string[] {
  return KINDS.filter((kind) => {
    const key = ENHANCER_METADATA[kind];
    return Reflect.hasMetadata(key, decorated) && !Reflect.hasMetadata(key, callback);
  }).map(
    (kind) =>
      `${place}: its ${kind}s would never run, because the method was replaced on the instance ` +
      'by a function without them (bound in the constructor?); leave the method as the class has it',
  );
}

/**
 * Pipes that were put on a handler of batches, whose payloads they would never see. Those of its class
 * and the global ones may be meant for others.
 */
export function batchPipeProblems(method: HandlerMethod, place: string): string[] {
  const hasPipes =
    Reflect.hasMetadata(ENHANCER_METADATA.pipe, method.callback) ||
    paramsOf(method).some(({ kind, pipes }) => kind === 'payload' && pipes.length > 0);
  return hasPipes
    ? [
        `${place}: its pipes would never run, because it takes batches, whose payloads are checked by ` +
          'the contract of their event; leave them off',
      ]
    : [];
}

/** Global enhancers that exist only per request or consumer, so that no event can pass them. */
export function scopedGlobalProblems(globals: ApplicationConfig): string[] {
  const scoped = [
    ...globals.getGlobalRequestGuards(),
    ...globals.getGlobalRequestInterceptors(),
    ...globals.getGlobalRequestPipes(),
    ...globals.getGlobalRequestFilters(),
  ];
  return scoped.map(
    ({ name }) =>
      `globalEnhancers: ${String(name)} is request-scoped or transient; ` +
      'make it a singleton, or leave globalEnhancers off',
  );
}

function enhancersOf(method: HandlerMethod, kind: EnhancerKind): unknown[] {
  const own = enhancersOn(method, kind);
  return kind === 'pipe' ? [...own, ...paramsOf(method).flatMap(({ pipes }) => pipes)] : own;
}

function classProblems(
  { host }: HandlerMethod,
  kind: EnhancerKind,
  enhancer: object,
  place: string,
): string[] {
  const name = String(Reflect.get(enhancer, 'name'));
  const wrapper = host.module.injectables.get(enhancer as () => unknown);
  if (wrapper === undefined) {
    // Nest falls back to a static method of the class.
    if (typeof Reflect.get(enhancer, RUNS[kind]) === 'function') return [];
    return [
      `${place}: its ${kind} ${name} would never run, because Nest did not construct the host from ` +
        `its class; provide the host with useClass, or give the decorator an instance of ${name}`,
    ];
  }
  return kind === 'filter' && wrapper.isTransient
    ? [`${place}: its filter ${name} is transient; make it a singleton`]
    : [];
}
