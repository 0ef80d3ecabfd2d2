import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';

import type { WholeTopicDeclaration } from '../consuming/handler-discovery.js';
import { InvalidHandlerError } from '../kafka-events.errors.js';
import type { KafkaEventsSettings } from '../kafka-events.options.js';
import type { KafkaEventsServer, RegisteredPattern } from './kafka-events-server.js';
import { isEnhancedBy } from './pattern-enhancers.js';
import { bindPatternHandler } from './pattern-handler.js';
import { patternPlaces, type PatternPlace } from './pattern-places.js';
import { RetryDeadLetterFilter } from './retry-dead-letter.filter.js';

/** What the application has, to find handlers in. */
export interface PatternScope {
  readonly modules: ModulesContainer;
  readonly config: ApplicationConfig;
  readonly settings: Pick<KafkaEventsSettings, 'nestTransport'>;
}

/**
 * The `@EventPattern` handlers that Nest has registered with a server, under the ids that
 * `@EventHandler` would give them: `Class.method`.
 *
 * @throws InvalidHandlerError listing the patterns that the server cannot take.
 */
export function patternHandlers(
  server: KafkaEventsServer,
  { modules, config, settings }: PatternScope,
): WholeTopicDeclaration[] {
  const { ordering } = settings.nestTransport;
  const placeOf = placesInOrder(modules);
  return server.boot().map((pattern) => {
    const { topic, callback } = pattern;
    const { id, place, host, judgesReads } = described(pattern, placeOf(pattern), config);
    return {
      id,
      place,
      host,
      topic,
      // A tombstone is a record like any other to `@EventPattern`.
      options: { ordering, tombstones: true },
      bind: (resolved) =>
        bindPatternHandler(topic, resolved, server.callsOf(callback), { judgesReads }),
    };
  });
}

/** Answers the place of each pattern, asked in the order of their registration. */
function placesInOrder(
  modules: ModulesContainer,
): (pattern: RegisteredPattern) => PatternPlace | undefined {
  const places = patternPlaces(modules);
  const asked = new Map<string, number>();
  // Nest registers a function without a name, but with the object that tells which method it was.
  return ({ topic, extras }) => {
    const candidates = places.filter((place) => place.extras === extras);
    const [first] = candidates;
    // One method, inherited by several controllers, is registered once for each.
    const name = `${first?.id ?? ''} ${topic}`;
    const nth = asked.get(name) ?? 0;
    asked.set(name, nth + 1);
    if (first !== undefined && nth >= candidates.length) {
      throw new InvalidHandlerError([
        `${first.id}: is registered twice for "${topic}"; connect KafkaEventsServer once, and name the topic once`,
      ]);
    }
    return candidates[nth];
  };
}

function described(
  { topic, extras }: RegisteredPattern,
  found: PatternPlace | undefined,
  config: ApplicationConfig,
): Pick<WholeTopicDeclaration, 'id' | 'place' | 'host'> & { readonly judgesReads: boolean } {
  if (found === undefined) {
    const id = `@EventPattern(${topic})`;
    return { id, place: id, host: extras, judgesReads: false };
  }
  const { id, place, host } = found;
  return {
    id,
    place,
    host,
    judgesReads: isEnhancedBy(RetryDeadLetterFilter, 'filter', found, config),
  };
}
