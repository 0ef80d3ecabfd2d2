import 'reflect-metadata';

import type { Type } from '@nestjs/common';
import type { ApplicationConfig } from '@nestjs/core';

import { ENHANCER_METADATA } from '../consuming/nest-metadata.js';
import type { PatternPlace } from './pattern-places.js';

/** A class used as an enhancer of a kind. */
export interface EnhancerUse {
  readonly kind: 'filter' | 'interceptor';
  readonly enhancer: Type;
}

/** Whether an enhancer stands around a method: on it, on its class, or around the whole application. */
export function isEnhancedBy(
  { kind, enhancer }: EnhancerUse,
  { method, metatype }: Pick<PatternPlace, 'method' | 'metatype'>,
  config: ApplicationConfig,
): boolean {
  const globals: readonly unknown[] =
    kind === 'filter' ? config.getGlobalFilters() : config.getGlobalInterceptors();
  const given = [...enhancersOn(method, kind), ...enhancersOn(metatype, kind), ...globals];
  return given.some((each) => isOf(enhancer, each));
}

function enhancersOn(target: object, kind: EnhancerUse['kind']): readonly unknown[] {
  const enhancers: unknown = Reflect.getMetadata(ENHANCER_METADATA[kind], target);
  return Array.isArray(enhancers) ? enhancers : [];
}

/** Decorators are given classes, or instances. */
function isOf(enhancer: Type, given: unknown): boolean {
  if (typeof given !== 'function') return given instanceof enhancer;
  return given === enhancer || given.prototype instanceof enhancer;
}
