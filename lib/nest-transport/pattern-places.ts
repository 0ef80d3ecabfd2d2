import 'reflect-metadata';

import { MetadataScanner, type ModulesContainer } from '@nestjs/core';

import { PATTERN_EXTRAS_METADATA } from '../consuming/nest-metadata.js';

/** The method behind a handler that Nest registered. */
export interface PatternPlace {
  /** As `@EventHandler` would name it: `Class.method`. */
  readonly id: string;
  /** For people: `OrdersController.created (OrdersModule)`. */
  readonly place: string;
  /** The controller that has the method, one for each module that declares it. */
  readonly host: object;
  readonly metatype: object;
  readonly method: object;
  /** The very object that the decorator left on the method. */
  readonly extras: object;
}

/**
 * The methods behind patterns, controller by controller in the order of the modules, which is the
 * order in which Nest registers them. A method that several controllers inherit has several places.
 */
export function patternPlaces(modules: ModulesContainer): PatternPlace[] {
  const scanner = new MetadataScanner();
  return [...modules.values()].flatMap((module) =>
    [...module.controllers.values()].flatMap((host) => {
      const { metatype } = host;
      if (typeof metatype !== 'function') return [];
      const prototype = metatype.prototype as object;
      return scanner.getAllMethodNames(prototype).flatMap((name): PatternPlace[] => {
        const method: unknown = Reflect.get(prototype, name);
        const extras = extrasOf(method);
        if (extras === null || typeof method !== 'function') return [];
        const id = `${metatype.name}.${name}`;
        return [{ id, place: `${id} (${module.name})`, host, metatype, method, extras }];
      });
    }),
  );
}

/**
 * Answers the place of each pattern of one server, asked in the order of their registration: Nest
 * registers a function without a name, but with the object that tells which method it was. Where a
 * method is registered again, so is its place.
 */
export function placesInOrder(
  places: readonly PatternPlace[],
): (pattern: { readonly topic: string; readonly extras: object }) => PatternPlace | undefined {
  const asked = new Map<string, number>();
  return ({ topic, extras }) => {
    const candidates = places.filter((place) => place.extras === extras);
    const [first] = candidates;
    // One method, inherited by several controllers, is registered once for each.
    const name = `${first?.id ?? ''} ${topic}`;
    const nth = asked.get(name) ?? 0;
    asked.set(name, nth + 1);
    return candidates[nth % candidates.length];
  };
}

function extrasOf(method: unknown): object | null {
  if (typeof method !== 'function') return null;
  const extras: unknown = Reflect.getMetadata(PATTERN_EXTRAS_METADATA, method);
  return typeof extras === 'object' ? extras : null;
}
