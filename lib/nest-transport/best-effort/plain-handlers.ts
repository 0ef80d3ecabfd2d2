import type { ExecutionContext } from '@nestjs/common';
import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';
import type { MessageHandler, ServerKafka } from '@nestjs/microservices';

import { duplicateIds } from '../../consuming/handler-rules.js';
import { isEnhancedBy, type EnhancerUse } from '../pattern-enhancers.js';
import { patternPlaces, placesInOrder, type PatternPlace } from '../pattern-places.js';

/** The event handlers that Nest has registered with one `ServerKafka`. */
export class PlainHandlers {
  readonly #places: readonly PatternPlace[];
  readonly #byTopic: ReadonlyMap<string, readonly (PatternPlace | undefined)[]>;

  constructor(server: Pick<ServerKafka, 'getHandlers'>, modules: ModulesContainer) {
    this.#places = patternPlaces(modules);
    const placeOf = placesInOrder(this.#places);
    this.#byTopic = new Map(
      [...server.getHandlers()].map(([topic, first]) => [
        topic,
        chainOf(first)
          .filter(({ isEventHandler }) => isEventHandler === true)
          .map(({ extras = {} }) => placeOf({ topic, extras })),
      ]),
    );
  }

  /** As `@EventHandler` would name it; the method's name is the class's, whatever the function is called. */
  idOf(execution: ExecutionContext): string {
    const [metatype, method] = [execution.getClass(), execution.getHandler()];
    const found = this.#places.find(
      (place) => place.metatype === metatype && place.method === method,
    );
    return found?.id ?? `${metatype.name}.${method.name}`;
  }

  countOf(topic: string): number {
    return this.#byTopic.get(topic)?.length ?? 0;
  }

  /** Handlers of one topic that would take each other's claims for their own, for people. */
  clashes(): string[] {
    return [...this.#byTopic.values()].flatMap((places) =>
      duplicateIds([...new Set(places)].filter((place) => place !== undefined)),
    );
  }

  /** Whether an enhancer stands around any of them. */
  areEnhancedBy(use: EnhancerUse, config: ApplicationConfig): boolean {
    return [...this.#byTopic.values()].some((places) =>
      places.some((place) => place !== undefined && isEnhancedBy(use, place, config)),
    );
  }
}

/** Nest chains the handlers of one pattern. */
function chainOf(first: MessageHandler): MessageHandler[] {
  const chain: MessageHandler[] = [];
  for (let each: MessageHandler | undefined = first; each !== undefined; each = nextOf(each)) {
    chain.push(each);
  }
  return chain;
}

function nextOf({ next }: MessageHandler): MessageHandler | undefined {
  return next as MessageHandler | undefined;
}
