import { Module, type ModuleMetadata } from '@nestjs/common';
import { ApplicationConfig, ModulesContainer, NestFactory } from '@nestjs/core';

import { inRecord } from './model-kafka.js';
import { EventContext } from '../../lib/consuming/event-context.js';
import type { BoundHandler, CallControl } from '../../lib/consuming/event-handler.js';
import { discoverHandlers, type DiscoveryScope } from '../../lib/consuming/handler-discovery.js';
import type {
  EventHandlerOptions,
  HandlerKind,
  HandlerSettings,
} from '../../lib/consuming/handler-options.js';
import { EventEnvelope } from '../../lib/contracts/event-envelope.js';
import { DEFAULTS } from '../../lib/options/defaults.js';
import { onCleanup } from './cleanup.js';

/** Handlers of an application as discovery finds them, by id. */
export type FoundHandlers = Record<string, BoundHandler>;

export interface FindOptions extends Partial<DiscoveryScope['settings']> {
  readonly globalEnhancers?: boolean;
}

/**
 * Boots a Nest application context from a module and finds its handlers, with nothing of Kafka
 * behind them.
 */
export async function findHandlers(
  metadata: ModuleMetadata,
  { globalEnhancers = false, ...settings }: FindOptions = {},
): Promise<FoundHandlers> {
  @Module(metadata)
  class AppModule {}
  const app = await NestFactory.createApplicationContext(AppModule, {
    logger: false,
    abortOnError: false,
  });
  onCleanup(() => app.close());
  const handlers = discoverHandlers({
    modules: app.get(ModulesContainer),
    globals: globalEnhancers ? app.get(ApplicationConfig) : new ApplicationConfig(),
    settings: {
      topicName: (topic) => topic,
      defaultGroupId: 'shop',
      handlerOverrides: {},
      retryTopic: DEFAULTS.retryTopic,
      deadLetter: DEFAULTS.deadLetter,
      ...settings,
    },
    resolve: plainSettings,
  });
  return Object.fromEntries(handlers.map((handler) => [handler.settings.id, handler]));
}

/** Settings of a handler without the module's defaults. */
function plainSettings(
  id: string,
  options: EventHandlerOptions = {},
  kind: HandlerKind = 'record',
): HandlerSettings {
  return {
    id,
    claimedAs: id,
    aliases: [],
    groupId: options.groupId ?? 'shop',
    concurrency: 16,
    ordering: options.ordering ?? 'key',
    timeoutMs: 1_000,
    rate: null,
    retry: { attempts: 1, initialDelayMs: 1, factor: 1, maxDelayMs: 1, jitter: 0 },
    retryTopic: null,
    onDeadLetter: 'continue',
    acceptsDirect: false,
    outage: null,
    idempotency: null,
    tombstones: false,
    batch: kind === 'batch' ? { maxSize: 500, maxWaitMs: 200 } : null,
  };
}

/** The context of a first delivery, of a record with nothing in it. */
export function contextFor(handlerId = 'Handler.handle'): EventContext {
  const record = inRecord({ offset: 7n });
  return new EventContext({
    envelope: new EventEnvelope({ topic: 'orders', partition: 0 }, record),
    handlerId,
    key: `key of ${handlerId}`,
    attempt: 1,
    sink: { publish: () => Promise.reject(new Error('nothing is published in this test')) },
  });
}

/** For handlers that leave claims to the pipeline. */
export const NO_CONTROL: CallControl = {
  claim: () => {
    throw new Error('an event handler does not claim by itself');
  },
};

/** Calls a handler as the engine does. */
export async function call(
  handlers: FoundHandlers,
  id: string,
  payload: unknown = {},
  context = contextFor(id),
): Promise<unknown> {
  return handlerOf(handlers, id).invoke(payload, context, NO_CONTROL);
}

/** Calls a handler that must fail, and answers with its error. */
export async function callAndFail(
  handlers: FoundHandlers,
  id: string,
  payload: unknown = {},
): Promise<Error> {
  try {
    await call(handlers, id, payload);
  } catch (error) {
    return error as Error;
  }
  throw new Error(`${id} was expected to fail`);
}

export function handlerOf(handlers: FoundHandlers, id: string): BoundHandler {
  const handler = handlers[id];
  if (handler === undefined) {
    throw new Error(`There is no ${id} among ${Object.keys(handlers).join(', ')}`);
  }
  return handler;
}
