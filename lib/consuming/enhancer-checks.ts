import type { ApplicationConfig } from '@nestjs/core';

import { enhancersOn, paramsOf, type HandlerMethod } from './handler-method.js';
import type { EnhancerKind } from './nest-metadata.js';

const RUNS: Record<EnhancerKind, string> = {
  guard: 'canActivate',
  interceptor: 'intercept',
  pipe: 'transform',
  filter: 'catch',
};

/**
 * Enhancers of a handler that Nest would leave out without a word, each as a problem for people.
 *
 * Nest makes an instance of an enhancer class only for hosts it constructs from their class; on a
 * host from `useValue` or `useFactory` such a guard never runs.
 */
export function enhancerProblems(method: HandlerMethod, place: string): string[] {
  const kinds = Object.keys(RUNS) as EnhancerKind[];
  return kinds.flatMap((kind) =>
    [...new Set(enhancersOf(method, kind))].flatMap((enhancer) =>
      typeof enhancer === 'function' ? classProblems(method, kind, enhancer, place) : [],
    ),
  );
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
