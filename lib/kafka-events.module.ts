import {
  ConfigurableModuleBuilder,
  Logger,
  Module,
  type ConfigurableModuleAsyncOptions,
  type DynamicModule,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { ModuleRef, ModulesContainer } from '@nestjs/core';

import { ConsumerControl } from './consuming/consumer-control.js';
import { LegacyFeeds } from './legacy/legacy-feeds.js';
import { SyncFallbackClient } from './fallback/sync-fallback-client.js';
import { HybridRouter } from './hybrid/hybrid-router.js';
import { InvalidOptionsError } from './kafka-events.errors.js';
import { KafkaEventsEngine } from './kafka-events.engine.js';
import type { ConnectionSettings } from './kafka/connection.js';
import type { KafkaDriver } from './kafka/driver.js';
import { kafkaJsDriver } from './kafka/drivers/kafkajs/kafkajs-driver.js';
import type { KafkaEventsOptions, KafkaEventsSettings } from './kafka-events.options.js';
import { KafkaEventsRuntimeModule } from './kafka-events-runtime.module.js';
import {
  CONSUMER_RUNTIME,
  KAFKA_EVENTS_OPTIONS_OVERRIDE,
  KAFKA_EVENTS_SETTINGS,
  OUTBOX_RELAY,
} from './kafka-events.tokens.js';
import { BestEffort } from './nest-transport/best-effort/best-effort.js';
import { IdempotencyInterceptor } from './nest-transport/idempotency.interceptor.js';
import { KafkaEventsServer } from './nest-transport/kafka-events-server.js';
import { RetryDeadLetterFilter } from './nest-transport/retry-dead-letter.filter.js';
import { KafkaEventsHealth } from './observability/health.js';
import { driverLog } from './observability/driver-log.js';
import { EventOutbox } from './outbox/event-outbox.js';
import { EventPublisher } from './publishing/event-publisher.js';
import { PartitionScaler } from './scaling/partition-scaler.js';
import { resolveOptions } from './resolve-options.js';
import { MaterialisedViews } from './views/materialised-views.js';

interface ModuleVisibility {
  /** False: only modules that import the module see the publisher. Default true. */
  readonly isGlobal?: boolean;
}

/** What `forRoot` takes. */
export type KafkaEventsModuleOptions = KafkaEventsOptions & ModuleVisibility;

/** What `forRootAsync` takes: `imports` and `inject` beside `useFactory`, `useClass` or `useExisting`. */
export type KafkaEventsModuleAsyncOptions = ConfigurableModuleAsyncOptions<
  KafkaEventsOptions,
  'createKafkaEventsOptions'
> &
  ModuleVisibility;

/** What a class given as `useClass` or `useExisting` implements. */
export interface KafkaEventsOptionsFactory {
  createKafkaEventsOptions(): KafkaEventsOptions | Promise<KafkaEventsOptions>;
}

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } =
  new ConfigurableModuleBuilder<KafkaEventsOptions>({ moduleName: 'KafkaEvents' })
    .setClassMethodName('forRoot')
    .setFactoryMethodName('createKafkaEventsOptions')
    .setExtras<ModuleVisibility>({ isGlobal: true }, (definition, { isGlobal = true }) => ({
      ...definition,
      global: isGlobal,
    }))
    .build();

/**
 * Event-driven services on Kafka: import it once, in the root module.
 *
 * It provides `EventPublisher`, `EventOutbox`, `KafkaEventsHealth`, `ConsumerControl`, `PartitionScaler`,
 * `SyncFallbackClient`, `HybridRouter` and `MaterialisedViews`, to all modules unless `isGlobal: false`. The handlers' side is in `KafkaEventsRuntimeModule`, which stops before every other module; the
 * publisher lives on until `onApplicationShutdown`, so that others may publish while they go down.
 */
@Module({
  imports: [KafkaEventsRuntimeModule],
  providers: [
    {
      provide: KAFKA_EVENTS_SETTINGS,
      useFactory: settingsFrom,
      inject: [
        { token: MODULE_OPTIONS_TOKEN, optional: true },
        { token: KAFKA_EVENTS_OPTIONS_OVERRIDE, optional: true },
      ],
    },
    {
      provide: KafkaEventsServer,
      useFactory: (settings: KafkaEventsSettings) => new KafkaEventsServer(settings),
      inject: [KAFKA_EVENTS_SETTINGS],
    },
    {
      provide: KafkaEventsEngine,
      useFactory: (settings: KafkaEventsSettings, server: KafkaEventsServer) => {
        const observers = [...settings.observers, server];
        return new KafkaEventsEngine({ ...settings, observers }, new Logger('KafkaEvents'));
      },
      inject: [KAFKA_EVENTS_SETTINGS, KafkaEventsServer],
    },
    {
      provide: BestEffort,
      useFactory: ({ surroundings }: KafkaEventsEngine, modules: ModulesContainer) =>
        new BestEffort(surroundings, modules),
      inject: [KafkaEventsEngine, ModulesContainer],
    },
    IdempotencyInterceptor,
    RetryDeadLetterFilter,
    {
      provide: EventPublisher,
      useFactory: ({ publisher }: KafkaEventsEngine) => publisher,
      inject: [KafkaEventsEngine],
    },
    {
      provide: KafkaEventsHealth,
      useFactory: ({ health }: KafkaEventsEngine) => health,
      inject: [KafkaEventsEngine],
    },
    {
      provide: ConsumerControl,
      useFactory: ({ control }: KafkaEventsEngine) => control,
      inject: [KafkaEventsEngine],
    },
    {
      provide: PartitionScaler,
      useFactory: ({ scaler }: KafkaEventsEngine) => scaler,
      inject: [KafkaEventsEngine],
    },
    {
      provide: SyncFallbackClient,
      // Ready when it is injected, so that others may call while they boot.
      useFactory: async ({ sync }: KafkaEventsEngine, moduleRef: ModuleRef) => {
        await sync.open((token) => moduleRef.get(token, { strict: false }));
        return sync;
      },
      inject: [KafkaEventsEngine, ModuleRef],
    },
    {
      provide: LegacyFeeds,
      useFactory: ({ feeds }: KafkaEventsEngine) => feeds,
      inject: [KafkaEventsEngine],
    },
    {
      provide: HybridRouter,
      useFactory: ({ hybrid }: KafkaEventsEngine, moduleRef: ModuleRef) =>
        hybrid.open((token) => moduleRef.get(token, { strict: false })),
      inject: [KafkaEventsEngine, ModuleRef, SyncFallbackClient],
    },
    {
      provide: MaterialisedViews,
      useFactory: ({ views }: KafkaEventsEngine) => views,
      inject: [KafkaEventsEngine],
    },
    {
      provide: EventOutbox,
      useFactory: ({ outbox }: KafkaEventsEngine) => outbox,
      inject: [KafkaEventsEngine],
    },
    {
      provide: OUTBOX_RELAY,
      useFactory: ({ outboxRelay }: KafkaEventsEngine) => outboxRelay,
      inject: [KafkaEventsEngine],
    },
    {
      provide: CONSUMER_RUNTIME,
      useFactory: ({ runtime }: KafkaEventsEngine) => runtime,
      inject: [KafkaEventsEngine],
    },
  ],
  exports: [
    EventPublisher,
    EventOutbox,
    KafkaEventsHealth,
    ConsumerControl,
    PartitionScaler,
    HybridRouter,
    SyncFallbackClient,
    LegacyFeeds,
    MaterialisedViews,
    KafkaEventsServer,
    IdempotencyInterceptor,
    RetryDeadLetterFilter,
    // What the two of them need wherever they are used.
    BestEffort,
  ],
})
export class KafkaEventsModule extends ConfigurableModuleClass implements OnApplicationShutdown {
  /** @internal Made by Nest. */
  constructor(
    private readonly engine: KafkaEventsEngine,
    private readonly bestEffort: BestEffort,
  ) {
    super();
  }

  /**
   * Options known when the class is decorated; environment variables fill what is absent.
   *
   * @throws InvalidOptionsError at boot, listing every problem at once.
   */
  static override forRoot(options: KafkaEventsModuleOptions = {}): DynamicModule {
    return super.forRoot(options);
  }

  /** Options from a factory, which may inject; `isGlobal` alone cannot come from there. */
  static override forRootAsync(options: KafkaEventsModuleAsyncOptions): DynamicModule {
    return super.forRootAsync(options);
  }

  onApplicationShutdown(): Promise<void> {
    this.bestEffort.close();
    return this.engine.close();
  }
}

/** Changes the module's options before they are read. */
export type OptionsOverride = (options: KafkaEventsOptions) => KafkaEventsOptions;

function settingsFrom(
  options: KafkaEventsOptions | undefined,
  override: OptionsOverride = (given) => given,
): KafkaEventsSettings {
  if (options === undefined) {
    throw new InvalidOptionsError([
      {
        option: 'KafkaEventsModule',
        problem:
          'is imported without options; import KafkaEventsModule.forRoot({ … }) or forRootAsync',
      },
    ]);
  }
  return resolveOptions(override(options), process.env, defaultDriver);
}

/** The Kafka client of applications that choose none. */
export function defaultDriver(connection: ConnectionSettings): KafkaDriver {
  return kafkaJsDriver(connection, driverLog(new Logger('KafkaEvents')));
}
