import { MetadataScanner, type ApplicationConfig, type ModulesContainer } from '@nestjs/core';

import type { EventContract } from '../contracts/event-contract.js';
import { contractOf } from '../contracts/event-source.js';
import { InvalidDefinitionError, InvalidHandlerError } from '../kafka-events.errors.js';
import type { KafkaEventsSettings } from '../kafka-events.options.js';
import {
  batchPipeProblems,
  enhancerProblems,
  lostEnhancerProblems,
  scopedGlobalProblems,
} from './enhancer-checks.js';
import type { BoundHandler } from './event-handler.js';
import { hostsIn, whyNotStatic, type HandlerHost } from './handler-host.js';
import { bindHandler } from './handler-invoker.js';
import { directHandlerProblems } from './direct/direct-rules.js';
import { readEventHandlers, type EventHandlerMetadata } from './handler-metadata.js';
import type { HandlerMethod } from './handler-method.js';
import type { EventHandlerOptions, HandlerKind, HandlerSettings } from './handler-options.js';
import {
  clashingDefinitions,
  duplicateIds,
  mixedKinds,
  mixedOrderings,
  unknownOverrides,
  type PlacedHandler,
} from './handler-rules.js';
import { retryTopicProblems } from './retry-topics.js';

/** Where handlers are looked for, and what they are resolved with. */
export interface DiscoveryScope {
  readonly modules: ModulesContainer;
  /** The enhancers in front of each handler's own; an empty config for none. */
  readonly globals: ApplicationConfig;
  readonly settings: Pick<
    KafkaEventsSettings,
    'topicName' | 'defaultGroupId' | 'handlerOverrides' | 'retryTopic' | 'deadLetter'
  >;
  /** Handlers found by others, held to the same rules. Default: none. */
  readonly wholeTopics?: readonly WholeTopicDeclaration[];
  /** A handler's options, with the module's overrides and defaults applied. */
  readonly resolve: (
    id: string,
    options: EventHandlerMetadata['options'],
    kind: HandlerKind,
  ) => HandlerSettings;
}

/** A handler of a whole topic, before its options are resolved. */
export interface WholeTopicDeclaration {
  readonly id: string;
  /** For people: `OrdersController.created (OrdersModule)`. */
  readonly place: string;
  /** What has the method: one method may take several topics under its one id, two hosts may not. */
  readonly host: object;
  readonly topic: string;
  readonly options: EventHandlerOptions;
  readonly bind: (settings: HandlerSettings) => BoundHandler;
}

/** One `@EventHandler` or `@EventBatchHandler` of one method. */
interface Declaration extends EventHandlerMetadata {
  readonly id: string;
  readonly place: string;
  readonly method: HandlerMethod;
}

type PlacedMethod = PlacedHandler & { readonly method: HandlerMethod };

/**
 * Finds every method with `@EventHandler` or `@EventBatchHandler` on the application's providers and controllers, once all
 * of them exist. Inherited methods count for each class that is provided.
 *
 * @throws InvalidHandlerError listing everything that keeps a handler from being run as declared.
 */
export function discoverHandlers(scope: DiscoveryScope): BoundHandler[] {
  const { modules, globals, settings, wholeTopics = [] } = scope;
  const problems = scopedGlobalProblems(globals);
  const declared = declarationsIn(modules, problems);
  const handlers = declared.flatMap((declaration) => place(declaration, scope, problems));
  const ofTopics = wholeTopics.flatMap((declaration) => placeWhole(declaration, scope, problems));
  const all = [...handlers, ...ofTopics];
  problems.push(
    ...duplicateIds([...declared.flatMap(withFormerIds), ...oncePerMethod(wholeTopics)]),
    ...mixedOrderings(all, settings.topicName),
    ...mixedKinds(all, settings.topicName),
    ...clashingDefinitions(handlers, settings.topicName),
    ...retryTopicProblems(all, settings),
    ...directHandlerProblems(all),
    ...unknownOverrides(Object.keys(settings.handlerOverrides), [...declared, ...wholeTopics]),
  );
  if (problems.length > 0) throw new InvalidHandlerError(problems);
  return [
    ...handlers.map(({ method, settings: resolved, contracts }) =>
      bindHandler(method, resolved, contracts, globals),
    ),
    ...ofTopics.map(({ bind, settings: resolved }) => bind(resolved)),
  ];
}

function declarationsIn(modules: ModulesContainer, problems: string[]): Declaration[] {
  const scanner = new MetadataScanner();
  return hostsIn(modules).flatMap((host) =>
    scanner
      .getAllMethodNames(host.classRef.prototype as object)
      .flatMap((name) => declarationsOn(host, name, problems)),
  );
}

function declarationsOn(host: HandlerHost, name: string, problems: string[]): Declaration[] {
  const { instance, classRef, module, wrapper } = host;
  const decorated = callbackOf(classRef.prototype as object, name);
  const declarations = readEventHandlers(decorated);
  if (decorated === null || declarations.length === 0) return [];

  const place = `${classRef.name}.${name} (${module.name})`;
  const callback = instance === null ? null : callbackOf(instance, name);
  if (instance === null || callback === null) {
    problems.push(
      `${place}: ${classRef.name} ${whyNotStatic(wrapper) ?? 'has no instance'}, and an event has no ` +
        'request to make one for; make it and all it depends on singletons',
    );
    return [];
  }
  const method: HandlerMethod = { host: { ...host, instance }, name, callback };
  problems.push(
    ...enhancerProblems(method, place),
    ...lostEnhancerProblems(decorated, method, place),
  );
  if (declarations.some(({ kind }) => kind === 'batch')) {
    problems.push(...batchPipeProblems(method, place));
  }
  return declarations.map((declared) => {
    return { ...declared, id: declared.options.id ?? `${classRef.name}.${name}`, place, method };
  });
}

function place(declared: Declaration, scope: DiscoveryScope, problems: string[]): PlacedMethod[] {
  const contracts = contractsOf(declared, problems);
  const settings = settingsOf(declared, scope, problems);
  return settings === null
    ? []
    : [{ place: declared.place, method: declared.method, settings, contracts }];
}

function placeWhole(
  declared: WholeTopicDeclaration,
  scope: DiscoveryScope,
  problems: string[],
): (PlacedHandler & Pick<WholeTopicDeclaration, 'bind'>)[] {
  const settings = settingsOf({ ...declared, kind: 'record' }, scope, problems);
  if (settings === null) return [];
  const { place, topic, bind } = declared;
  return [{ place, settings, contracts: [], wholeTopic: { topic }, bind }];
}

function oncePerMethod(declared: readonly WholeTopicDeclaration[]): WholeTopicDeclaration[] {
  return declared.filter(
    ({ id, host }, at) => declared.findIndex((each) => each.id === id && each.host === host) === at,
  );
}

function contractsOf({ place, sources }: Declaration, problems: string[]): EventContract[] {
  const contracts = sources.flatMap((source) => {
    try {
      return [contractOf(source)];
    } catch (error) {
      if (!(error instanceof InvalidDefinitionError)) throw error;
      problems.push(`${place}: ${error.message}`);
      return [];
    }
  });
  const unique = [...new Set(contracts)];
  if (sources.length === 0) problems.push(`${place}: names no event`);
  if (unique.length < contracts.length) problems.push(`${place}: names an event twice`);
  return unique;
}

function settingsOf(
  { id, place, options, kind }: Pick<Declaration, 'id' | 'place' | 'options' | 'kind'>,
  { settings, resolve }: DiscoveryScope,
  problems: string[],
): HandlerSettings | null {
  const groupId =
    settings.handlerOverrides[id]?.groupId ?? options.groupId ?? settings.defaultGroupId;
  if (groupId === null) {
    problems.push(
      `${place}: has no consumer group; set consumer.groupId on the module (or KAFKA_GROUP_ID), ` +
        'or groupId on the handler',
    );
    return null;
  }
  try {
    return resolve(id, options, kind);
  } catch (error) {
    if (!(error instanceof InvalidHandlerError)) throw error;
    problems.push(...error.problems.map((problem) => `${place}: ${problem}`));
    return null;
  }
}

/** A former id stands for its handler as the id does. */
function withFormerIds({ id, place, options }: Declaration): { id: string; place: string }[] {
  // Anything else than a list is reported where options are checked.
  const former: readonly unknown[] = Array.isArray(options.aliases) ? options.aliases : [];
  return [id, ...former].map((each) => ({ id: String(each), place }));
}

function callbackOf(target: object, name: string): HandlerMethod['callback'] | null {
  const value: unknown = Reflect.get(target, name);
  return typeof value === 'function' ? (value as HandlerMethod['callback']) : null;
}
