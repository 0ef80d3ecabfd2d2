import { Logger, Module, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { ApplicationConfig, ModuleRef, ModulesContainer } from '@nestjs/core';

import type { ConsumerRuntime } from './consuming/consumer-runtime.js';
import { checkDirectDelivery } from './consuming/direct/direct-rules.js';
import type { BoundHandler } from './consuming/event-handler.js';
import { discoverHandlers } from './consuming/handler-discovery.js';
import { LegacyFeeds } from './legacy/legacy-feeds.js';
import { InvalidOptionsError } from './kafka-events.errors.js';
import type { KafkaEventsSettings } from './kafka-events.options.js';
import { CONSUMER_RUNTIME, KAFKA_EVENTS_SETTINGS, OUTBOX_RELAY } from './kafka-events.tokens.js';
import { checkPlainServers } from './nest-transport/best-effort/check-plain-servers.js';
import { KafkaEventsServer } from './nest-transport/kafka-events-server.js';
import { patternHandlers } from './nest-transport/pattern-handlers.js';
import { resolveHandler } from './options/resolve-handler.js';
import type { OutboxRelay } from './outbox/outbox-relay.js';

/** How long changes of other systems that are being published may take. */
const FEEDS_DRAIN_MS = 5_000;

/** How long events of the outbox that are on their way may take; the others wait for the next start. */
const OUTBOX_DRAIN_MS = 5_000;

/**
 * Starts the handlers when the application is up, and stops them before any of it goes down.
 *
 * Nest runs the hooks of modules by their distance from the root: the farthest boots first and is
 * destroyed last, the root itself the other way round. Handlers use what all modules provide, pools
 * in the root included, so this module gives itself a place nearer than the root. It looks its
 * dependencies up instead of importing them, since the module that has them imports this one.
 *
 * Nest may run the boot hooks twice (`createMicroservice` with `init` and `listen`, hybrid apps with
 * `deferInitialization`); handlers start once.
 */
@Module({})
export class KafkaEventsRuntimeModule implements OnApplicationBootstrap, OnModuleDestroy {
  private starting: Promise<void> | undefined;
  private stopping: Promise<void> | undefined;

  constructor(
    private readonly modules: ModulesContainer,
    private readonly moduleRef: ModuleRef,
    private readonly applicationConfig: ApplicationConfig,
  ) {
    refuseSecondImport(modules);
    bootLastAndStopFirst(modules);
  }

  async onApplicationBootstrap(): Promise<void> {
    // A signal may close the application while it boots.
    if (this.stopping === undefined) await (this.starting ??= this.start());
  }

  onModuleDestroy(): Promise<void> {
    return (this.stopping ??= this.stop());
  }

  private async start(): Promise<void> {
    const settings = this.moduleRef.get<KafkaEventsSettings>(KAFKA_EVENTS_SETTINGS, {
      strict: false,
    });
    if (settings.connect) await this.feeds.verify();
    if (settings.connect) await this.outbox?.start();
    try {
      if (settings.consume) await this.startHandlers(settings);
      // Views that others keep can be read, and waited for, here too.
      else if (settings.connect && settings.views !== null) await this.consumers.start([]);
      if (settings.connect)
        this.feeds.start((token) => this.moduleRef.get(token, { strict: false }));
    } catch (error) {
      // Nest closes nothing of an application that failed to boot.
      await this.outbox?.stop(0);
      throw error;
    }
  }

  private async startHandlers(settings: KafkaEventsSettings): Promise<void> {
    const server = this.moduleRef.get(KafkaEventsServer, { strict: false });
    const { modules, applicationConfig: config } = this;
    checkPlainServers(modules, config, settings);
    const handlers = discoverHandlers({
      modules,
      globals: settings.globalEnhancers ? config : new ApplicationConfig(),
      settings,
      wholeTopics: patternHandlers(server, { modules, config, settings }),
      resolve: (id, options, kind) => resolveHandler(id, options, settings, kind),
    });
    checkDirectDelivery(handlers, settings);
    for (const { contracts } of handlers) {
      for (const contract of contracts) await contract.prepare?.();
    }
    logHandlers(handlers);
    if (!settings.connect) return;
    let started: Promise<void> | undefined;
    await server.whenListening({
      start: () => (started ??= this.consumers.start(handlers)),
      postpone: (reason) => {
        this.consumers.postpone(reason);
      },
      stop: () => this.onModuleDestroy(),
    });
  }

  /** First the handlers, which may still add to the outbox, then its relay, while the database is there. */
  private async stop(): Promise<void> {
    await Promise.all([this.consumers.stop(), this.feeds.stop(FEEDS_DRAIN_MS)]);
    await this.outbox?.stop(OUTBOX_DRAIN_MS);
  }

  private get feeds(): LegacyFeeds {
    return this.moduleRef.get(LegacyFeeds, { strict: false });
  }

  private get outbox(): OutboxRelay | null {
    return this.moduleRef.get<OutboxRelay | null>(OUTBOX_RELAY, { strict: false });
  }

  private get consumers(): ConsumerRuntime {
    return this.moduleRef.get<ConsumerRuntime>(CONSUMER_RUNTIME, { strict: false });
  }
}

/** A handler class that nobody provides is found by nobody: what is missing here does not run. */
function logHandlers(handlers: readonly BoundHandler[]): void {
  const log = new Logger('KafkaEvents');
  for (const { settings, contracts, wholeTopic } of handlers) {
    const events = contracts.map(({ eventType, topic }) => `${eventType} from "${topic}"`);
    if (wholeTopic !== undefined) events.push(`all of "${wholeTopic.topic}"`);
    log.log(`${settings.id} handles ${events.join(', ')}, group "${settings.groupId}"`);
  }
  if (handlers.length === 0) {
    log.log('no @EventHandler found among the providers and controllers: nothing is consumed');
  }
}

function bootLastAndStopFirst(modules: ModulesContainer): void {
  for (const module of modules.values()) {
    if (module.metatype === KafkaEventsRuntimeModule) module.distance = Number.MIN_SAFE_INTEGER;
  }
}

function refuseSecondImport(modules: ModulesContainer): void {
  const imports = [...modules.values()].filter(({ providers }) =>
    providers.has(KAFKA_EVENTS_SETTINGS),
  );
  if (imports.length < 2) return;
  throw new InvalidOptionsError([
    {
      option: 'KafkaEventsModule',
      problem:
        `is configured ${imports.length} times in this application; import forRoot or forRootAsync ` +
        'once, in the root module, and inject EventPublisher wherever it is needed',
    },
  ]);
}
