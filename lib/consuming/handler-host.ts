import { Scope, type Type } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';

/** Nest's own types of a module and of a provider in it, which its root does not export by name. */
export type NestModule = ModulesContainer extends Map<string, infer M> ? M : never;
export type NestWrapper = NestModule['providers'] extends Map<unknown, infer W> ? W : never;

/** A provider or controller that may hold handlers. */
export interface HandlerHost {
  /** Null for hosts that Nest makes anew per request or consumer: there is no one instance to call. */
  readonly instance: object | null;
  readonly classRef: Type;
  readonly wrapper: NestWrapper;
  readonly module: NestModule;
}

/** Every provider and controller once, however many tokens lead to the same instance. */
export function hostsIn(modules: ModulesContainer): HandlerHost[] {
  const hosts = [...modules.values()].flatMap((module) =>
    [...module.providers.values(), ...module.controllers.values()]
      .map((wrapper) => hostOf(wrapper, module))
      .filter((host) => host !== null),
  );
  // What Nest made from a class comes first: a factory may hand out that same instance again.
  hosts.sort((a, b) => Number(a.wrapper.isNotMetatype) - Number(b.wrapper.isNotMetatype));
  const seen = new Set<object>();
  return hosts.filter(({ instance }) => {
    if (instance === null) return true;
    const isNew = !seen.has(instance);
    seen.add(instance);
    return isNew;
  });
}

/**
 * Why a provider has no one instance, for people; null when it has.
 *
 * Nest counts a host as request-scoped when anything below it is, its guards, pipes, interceptors
 * and filters included; the answer names the way to the first such thing.
 */
export function whyNotStatic(wrapper: NestWrapper): string | null {
  if (wrapper.isTransient) return 'is transient';
  if (wrapper.isDependencyTreeStatic()) return null;
  if (wrapper.scope === Scope.REQUEST) return 'is request-scoped';
  return `depends on something request-scoped (${requestScopedPath(wrapper, new Set()).join(' -> ')})`;
}

function requestScopedPath(wrapper: NestWrapper, seen: Set<NestWrapper>): string[] {
  seen.add(wrapper);
  const culprit = dependenciesOf(wrapper).find(
    (child) => !seen.has(child) && !child.isDependencyTreeStatic(),
  );
  return culprit === undefined ? [] : [String(culprit.name), ...requestScopedPath(culprit, seen)];
}

function dependenciesOf(wrapper: NestWrapper): NestWrapper[] {
  // Declared as always there, but absent until the first dependency of its kind.
  const constructed: (NestWrapper[] | undefined)[] = [
    wrapper.getCtorMetadata(),
    wrapper.getEnhancersMetadata(),
  ];
  const properties: ({ wrapper: NestWrapper }[] | undefined)[] = [wrapper.getPropertiesMetadata()];
  return [
    ...constructed.flatMap((wrappers) => wrappers ?? []),
    ...properties.flatMap((found) => (found ?? []).map((property) => property.wrapper)),
  ];
}

function hostOf(wrapper: NestWrapper, module: NestModule): HandlerHost | null {
  const made: unknown = whyNotStatic(wrapper) === null ? wrapper.instance : null;
  const instance = typeof made === 'object' ? made : null;
  const classRef = wrapper.isNotMetatype ? classOf(instance) : wrapper.metatype;
  // `metatype` is a factory only where `isNotMetatype` says so.
  return classRef === null ? null : { instance, classRef: classRef as Type, wrapper, module };
}

function classOf(instance: object | null): unknown {
  const prototype: unknown = instance === null ? null : Reflect.getPrototypeOf(instance);
  return typeof prototype === 'object' && prototype !== null ? prototype.constructor : null;
}
