import 'reflect-metadata';

import { MetadataScanner, type ModulesContainer } from '@nestjs/core';

import { PATTERN_EXTRAS_METADATA } from '../consuming/nest-metadata.js';

/** The method behind a handler that Nest registered. */
export interface PatternPlace {
  readonly className: string;
  readonly method: string;
  readonly module: string;
}

/**
 * Finds the methods behind registered handlers. Nest registers a function without a name, but with
 * the very object that the decorator left on the method: `extras` tells which method it was.
 *
 * A method that several controllers inherit has several places, in the order of the modules, which
 * is the order in which Nest registers them.
 */
export function patternPlaces(modules: ModulesContainer): ReadonlyMap<object, PatternPlace[]> {
  const scanner = new MetadataScanner();
  const places = new Map<object, PatternPlace[]>();
  for (const module of modules.values()) {
    for (const { metatype } of module.controllers.values()) {
      if (typeof metatype !== 'function') continue;
      const prototype = metatype.prototype as object;
      for (const method of scanner.getAllMethodNames(prototype)) {
        const extras = extrasOf(Reflect.get(prototype, method));
        if (extras === null) continue;
        const place = { className: metatype.name, method, module: module.name };
        places.set(extras, [...(places.get(extras) ?? []), place]);
      }
    }
  }
  return places;
}

function extrasOf(method: unknown): object | null {
  if (typeof method !== 'function') return null;
  const extras: unknown = Reflect.getMetadata(PATTERN_EXTRAS_METADATA, method);
  return typeof extras === 'object' ? extras : null;
}
