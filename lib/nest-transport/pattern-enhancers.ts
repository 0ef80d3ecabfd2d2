import 'reflect-metadata';

import type { Type } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';

import { ENHANCER_METADATA } from '../consuming/nest-metadata.js';
import type { PatternPlace } from './pattern-places.js';

/** Whether an enhancer stands around a method: on it, on its class, or around the whole application. */
export function isEnhancedBy(
  enhancer: Type,
  kind: 'filter' | 'interceptor',
  { method, metatype }: Pick<PatternPlace, 'method' | 'metatype'>,
  config: ApplicationConfig,
): boolean {
  const globals: readonly unknown[] =
    kind === 'filter' ? config.getGlobalFilters() : config.getGlobalInterceptors();
  return [...on(method, kind), ...on(metatype, kind), ...globals].some((each) =>
    isOf(enhancer, each),
  );
}

function on(target: object, kind: 'filter' | 'interceptor'): readonly unknown[] {
  const enhancers: unknown = Reflect.getMetadata(ENHANCER_METADATA[kind], target);
  return Array.isArray(enhancers) ? enhancers : [];
}

/** Decorators are given classes, or instances. */
function isOf(enhancer: Type, given: unknown): boolean {
  if (given instanceof enhancer) return true;
  return typeof given === 'function' && (given === enhancer || given.prototype instanceof enhancer);
}
