import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';

import type { WholeTopicDeclaration } from '../consuming/handler-discovery.js';
import { InvalidHandlerError } from '../kafka-events.errors.js';
import type { KafkaEventsSettings } from '../kafka-events.options.js';
import type { KafkaEventsServer, RegisteredPattern } from './kafka-events-server.js';
import { isEnhancedBy, type EnhancerUse } from './pattern-enhancers.js';
import { bindPatternHandler } from './pattern-handler.js';
import { patternPlaces, placesInOrder, type PatternPlace } from './pattern-places.js';
import { RetryDeadLetterFilter } from './retry-dead-letter.filter.js';

const FILTER: EnhancerUse = { kind: 'filter', enhancer: RetryDeadLetterFilter };

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
  const placeOf = placesInOrder(patternPlaces(modules));
  const declared = server.boot().map((pattern): WholeTopicDeclaration => {
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
  refuseRepeated(declared);
  return declared;
}

function refuseRepeated(declared: readonly WholeTopicDeclaration[]): void {
  const problems = declared.flatMap(({ id, host, topic }, at) => {
    const first = declared.findIndex(
      (each) => each.host === host && each.id === id && each.topic === topic,
    );
    return first === at
      ? []
      : [
          `${id}: is registered twice for "${topic}"; connect KafkaEventsServer once, and name the topic once`,
        ];
  });
  if (problems.length > 0) throw new InvalidHandlerError(problems);
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
    judgesReads: isEnhancedBy(FILTER, found, config),
  };
}
