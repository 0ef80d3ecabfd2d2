import type { ModulesContainer } from '@nestjs/core';

import type { WholeTopicDeclaration } from '../consuming/handler-discovery.js';
import { InvalidHandlerError } from '../kafka-events.errors.js';
import type { KafkaEventsSettings } from '../kafka-events.options.js';
import type { KafkaEventsServer, RegisteredPattern } from './kafka-events-server.js';
import { bindPatternHandler } from './pattern-handler.js';
import { patternPlaces, type PatternPlace } from './pattern-places.js';

/**
 * The `@EventPattern` handlers that Nest has registered with a server, under the ids that
 * `@EventHandler` would give them: `Class.method`.
 *
 * @throws InvalidHandlerError listing the patterns that the server cannot take.
 */
export function patternHandlers(
  server: KafkaEventsServer,
  modules: ModulesContainer,
  { nestTransport: { ordering } }: Pick<KafkaEventsSettings, 'nestTransport'>,
): WholeTopicDeclaration[] {
  const placeOf = placesInOrder(modules);
  return server.boot().map((pattern) => {
    const { topic, callback } = pattern;
    return {
      ...placeOf(pattern),
      topic,
      // A tombstone is a record like any other to `@EventPattern`.
      options: { ordering, tombstones: true },
      bind: (settings) => bindPatternHandler(topic, settings, server.callsOf(callback)),
    };
  });
}

/** Answers the place of each pattern, asked in the order of their registration. */
function placesInOrder(
  modules: ModulesContainer,
): (pattern: RegisteredPattern) => { readonly id: string; readonly place: string } {
  const places = patternPlaces(modules);
  const asked = new Map<string, number>();
  return ({ topic, extras }) => {
    const candidates = places.get(extras) ?? [];
    const [first] = candidates;
    // One method, inherited by several controllers, is registered once for each.
    const name = `${first?.className ?? ''}.${first?.method ?? ''} ${topic}`;
    const nth = asked.get(name) ?? 0;
    asked.set(name, nth + 1);
    if (first !== undefined && nth >= candidates.length) {
      throw new InvalidHandlerError([
        `${first.className}.${first.method}: is registered twice for "${topic}"; connect KafkaEventsServer once`,
      ]);
    }
    return described(candidates[nth], topic, nth);
  };
}

function described(
  place: PatternPlace | undefined,
  topic: string,
  nth: number,
): { readonly id: string; readonly place: string } {
  if (place === undefined) {
    const id = `@EventPattern(${topic})#${String(nth)}`;
    return { id, place: id };
  }
  const id = `${place.className}.${place.method}`;
  return { id, place: `${id} (${place.module})` };
}
