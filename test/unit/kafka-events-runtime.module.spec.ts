import { describe, expect, it } from '@jest/globals';
import {
  Controller,
  Global,
  Injectable,
  Module,
  type DynamicModule,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Server, type CustomTransportStrategy } from '@nestjs/microservices';

import type { ConsumerRuntime } from '../../lib/consuming/consumer-runtime.js';
import { EventHandler } from '../../lib/consuming/event-handler.decorator.js';
import type { BoundHandler } from '../../lib/consuming/event-handler.js';
import { KafkaEventsRuntimeModule } from '../../lib/kafka-events-runtime.module.js';
import type { KafkaEventsSettings } from '../../lib/kafka-events.options.js';
import {
  CONSUMER_RUNTIME,
  KAFKA_EVENTS_SETTINGS,
  OUTBOX_RELAY,
} from '../../lib/kafka-events.tokens.js';
import { LegacyFeeds } from '../../lib/legacy/legacy-feeds.js';
import { KafkaEventsServer } from '../../lib/nest-transport/kafka-events-server.js';
import { DEFAULTS } from '../../lib/options/defaults.js';
import { onCleanup } from '../support/cleanup.js';
import { OrderCreated } from '../support/shop-events.js';

const QUIET = { logger: false, abortOnError: false } as const;

/** Writes down what happens to it, with the other parts of the application. */
class RecordingRuntime implements ConsumerRuntime {
  constructor(private readonly log: string[]) {}
  start(handlers: readonly BoundHandler[]): Promise<void> {
    this.log.push(`start ${handlers.map(({ settings }) => settings.id).join(' ')}`);
    return Promise.resolve();
  }
  postpone(): void {
    this.log.push('postpone');
  }
  stop(): Promise<void> {
    this.log.push('stop');
    return Promise.resolve();
  }
}

/** Stands where `KafkaEventsModule` stands: beside the runtime module, with what that looks up. */
function kafkaEvents(log: string[], settings: Partial<KafkaEventsSettings> = {}): DynamicModule {
  @Module({ imports: [KafkaEventsRuntimeModule] })
  class ThinModule {}
  const useValue = {
    consume: true,
    connect: true,
    globalEnhancers: false,
    defaultGroupId: 'shop',
    views: null,
    handlerOverrides: {},
    topicName: (topic: string) => topic,
    retryTopic: DEFAULTS.retryTopic,
    deadLetter: DEFAULTS.deadLetter,
    idempotency: { windowMs: 1 },
    connection: { brokers: [], clientId: 'shop' },
    nestTransport: { ordering: 'partition' },
    directDelivery: null,
    directTo: new Map(),
    ...settings,
  };
  return {
    module: ThinModule,
    global: true,
    providers: [
      { provide: KAFKA_EVENTS_SETTINGS, useValue },
      { provide: CONSUMER_RUNTIME, useValue: new RecordingRuntime(log) },
      { provide: OUTBOX_RELAY, useValue: null },
      {
        provide: LegacyFeeds,
        useValue: {
          verify: async () => undefined,
          start: () => undefined,
          stop: async () => undefined,
        },
      },
      {
        provide: KafkaEventsServer,
        useFactory: (all: KafkaEventsSettings) => new KafkaEventsServer(all),
        inject: [KAFKA_EVENTS_SETTINGS],
      },
    ],
  };
}

@Injectable()
class Handler {
  @EventHandler(OrderCreated)
  handle(_order: OrderCreated): void {
    return undefined;
  }
}

@Controller()
class OrdersController {
  @EventHandler(OrderCreated)
  handle(_order: OrderCreated): void {
    return undefined;
  }
}

class NoTransport extends Server implements CustomTransportStrategy {
  listen(callback: () => void): void {
    callback();
  }
  close(): void {
    return undefined;
  }
  on(): never {
    throw new Error('unused');
  }
  unwrap(): never {
    throw new Error('unused');
  }
}

function appModule(imports: (DynamicModule | Type)[]): Type {
  @Module({ imports, providers: [Handler], controllers: [OrdersController] })
  class AppModule {}
  return AppModule;
}

describe('the runtime in every kind of application', () => {
  const started = 'start Handler.handle OrdersController.handle';
  const boots: Record<string, (module: Type) => Promise<{ close(): Promise<void> }>> = {
    create: async (module) => (await NestFactory.create(module, QUIET)).init(),
    createApplicationContext: (module) => NestFactory.createApplicationContext(module, QUIET),
    createMicroservice: async (module) => {
      const strategy = new NoTransport();
      const app = await NestFactory.createMicroservice(module, { ...QUIET, strategy });
      await app.listen();
      return app;
    },
    'createMicroservice with init': async (module) => {
      const strategy = new NoTransport();
      const app = await NestFactory.createMicroservice(module, { ...QUIET, strategy });
      await app.init();
      await app.listen();
      return app;
    },
    hybrid: async (module) => {
      const app = await NestFactory.create(module, QUIET);
      app.connectMicroservice({ strategy: new NoTransport() });
      await app.startAllMicroservices();
      return app.init();
    },
    'hybrid with deferInitialization': async (module) => {
      const app = await NestFactory.create(module, QUIET);
      app.connectMicroservice({ strategy: new NoTransport() }, { deferInitialization: true });
      await app.init();
      await app.startAllMicroservices();
      return app;
    },
  };

  it.each(Object.keys(boots))('starts and stops once: %s', async (kind) => {
    const log: string[] = [];

    const app = await boots[kind]?.(appModule([kafkaEvents(log)]));
    expect(log).toEqual([started]);
    await app?.close();

    expect(log).toEqual([started, 'stop']);
  });

  it('is one for each of two applications in a process', async () => {
    const [first, second]: string[][] = [[], []];
    const one = await NestFactory.createApplicationContext(
      appModule([kafkaEvents(first ?? [])]),
      QUIET,
    );
    const two = await NestFactory.createApplicationContext(
      appModule([kafkaEvents(second ?? [])]),
      QUIET,
    );
    onCleanup(() => two.close());

    await one.close();

    expect(first).toEqual([started, 'stop']);
    expect(second).toEqual([started]);
  });
});

describe('the settings of the runtime', () => {
  const boot = async (log: string[], settings: Partial<KafkaEventsSettings>) => {
    const module = appModule([kafkaEvents(log, settings)]);
    const app = await NestFactory.createApplicationContext(module, QUIET);
    onCleanup(() => app.close());
  };

  it('start nothing and look for nothing with consume: false', async () => {
    const log: string[] = [];

    await boot(log, { consume: false, defaultGroupId: null });

    expect(log).toEqual([]);
  });

  it('start nothing with connect: false, but check the handlers', async () => {
    const log: string[] = [];

    await boot(log, { connect: false });

    expect(log).toEqual([]);
    await expect(boot(log, { connect: false, defaultGroupId: null })).rejects.toMatchObject({
      code: 'INVALID_HANDLER',
    });
  });

  it('may be there once', async () => {
    const module = appModule([kafkaEvents([]), kafkaEvents([])]);

    await expect(NestFactory.createApplicationContext(module, QUIET)).rejects.toThrow(
      'KafkaEventsModule: is configured 2 times in this application',
    );
  });
});

describe('the place of the runtime among the modules', () => {
  /** A provider that says when it comes up and goes down, as a connection pool would. */
  const pool = (log: string[], name: string): Type => {
    @Injectable()
    class Pool implements OnApplicationBootstrap, OnModuleDestroy {
      onApplicationBootstrap(): void {
        log.push(`${name} up`);
      }
      onModuleDestroy(): void {
        log.push(`${name} down`);
      }
    }
    return Pool;
  };

  function modulesAround(log: string[], where: 'first' | 'last' | 'through a feature'): Type {
    @Global()
    @Module({ providers: [pool(log, 'global')] })
    class GlobalModule {}
    @Module({ providers: [pool(log, 'deep')] })
    class DeepModule {}
    @Module({ imports: [DeepModule], providers: [pool(log, 'imported')] })
    class ImportedModule {}
    const ours = kafkaEvents(log);
    @Module({ imports: [ours] })
    class FeatureModule {}

    const others = [GlobalModule, ImportedModule];
    const imports = {
      first: [ours, ...others],
      last: [...others, ours],
      'through a feature': [...others, FeatureModule],
    }[where];
    @Module({ imports, providers: [Handler, pool(log, 'root')], controllers: [OrdersController] })
    class AppModule {}
    return AppModule;
  }

  it.each(['first', 'last', 'through a feature'] as const)(
    'is last to start and first to stop, imported %s',
    async (where) => {
      const log: string[] = [];
      const app = await NestFactory.createApplicationContext(modulesAround(log, where), QUIET);
      expect(log).toHaveLength(5);
      expect(log.at(-1)).toMatch(/^start /);

      log.length = 0;
      await app.close();

      expect(log).toHaveLength(5);
      expect(log[0]).toBe('stop');
    },
  );

  it('does not start when the application is closed while it boots', async () => {
    const log: string[] = [];
    let boot = (): void => undefined;
    @Injectable()
    class SlowPool implements OnApplicationBootstrap {
      onApplicationBootstrap(): Promise<void> {
        return new Promise((resolve) => {
          boot = resolve;
        });
      }
    }
    @Module({ imports: [kafkaEvents(log)], providers: [Handler, SlowPool] })
    class AppModule {}
    const app = await NestFactory.create(AppModule, QUIET);

    const booting = app.init();
    await new Promise(setImmediate);
    await app.close();
    boot();
    await booting;

    expect(log).toEqual(['stop']);
  });
});
