import 'reflect-metadata';

import type { ApplicationConfig } from '@nestjs/core';

import type { HandlerHost } from './handler-host.js';
import {
  CONTEXT_PARAM,
  CUSTOM_PARAM,
  ENHANCER_METADATA,
  PARAM_ARGS_METADATA,
  PAYLOAD_PARAM,
  type EnhancerKind,
} from './nest-metadata.js';

/** A decorated method on the instance it is called on. */
export interface HandlerMethod {
  readonly host: HandlerHost & { readonly instance: object };
  readonly name: string;
  readonly callback: (...args: unknown[]) => unknown;
}

/** A parameter with a decorator. */
export interface HandlerParam {
  readonly index: number;
  readonly kind: 'payload' | 'context' | 'other';
  /** The field of `@Payload('field')`. */
  readonly field: string | null;
  readonly pipes: readonly unknown[];
}

/** Enhancers of one kind on the class and then on the method: classes or instances, as decorated. */
export function enhancersOn({ host, callback }: HandlerMethod, kind: EnhancerKind): unknown[] {
  const key = ENHANCER_METADATA[kind];
  return [...listAt(key, host.classRef), ...listAt(key, callback)];
}

/** The application's own enhancers of one kind: `APP_*` and `useGlobal*`. */
export function globalEnhancers(globals: ApplicationConfig, kind: EnhancerKind): unknown[] {
  switch (kind) {
    case 'guard':
      return globals.getGlobalGuards();
    case 'interceptor':
      return globals.getGlobalInterceptors();
    case 'pipe':
      return globals.getGlobalPipes();
    case 'filter':
      return globals.getGlobalFilters();
  }
}

/** The decorated parameters; none when the method takes its payload and context undecorated. */
export function paramsOf({ host, name }: HandlerMethod): HandlerParam[] {
  const { classRef } = host;
  const declaredBy: unknown = (classRef.prototype as object).constructor;
  const params: unknown =
    (typeof declaredBy === 'function'
      ? Reflect.getMetadata(PARAM_ARGS_METADATA, declaredBy, name)
      : undefined) ?? Reflect.getMetadata(PARAM_ARGS_METADATA, classRef, name);
  if (typeof params !== 'object' || params === null) return [];
  return Object.entries(params as Record<string, RawParam>).map(([key, raw]) => ({
    index: raw.index,
    kind: kindOf(key),
    field: typeof raw.data === 'string' && raw.data !== '' ? raw.data : null,
    pipes: raw.pipes ?? [],
  }));
}

interface RawParam {
  readonly index: number;
  readonly data?: unknown;
  readonly pipes?: readonly unknown[];
}

function kindOf(key: string): HandlerParam['kind'] {
  if (key.includes(CUSTOM_PARAM)) return 'other';
  const type = Number(key.split(':')[0]);
  if (type === PAYLOAD_PARAM) return 'payload';
  return type === CONTEXT_PARAM ? 'context' : 'other';
}

function listAt(key: string, target: object): unknown[] {
  const list: unknown = Reflect.getMetadata(key, target);
  return Array.isArray(list) ? list : [];
}
