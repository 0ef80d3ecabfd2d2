import { describe, expect, it } from '@jest/globals';
import {
  Injectable,
  Module,
  type DynamicModule,
  type OnApplicationShutdown,
  type OnModuleDestroy,
  type Type,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

import {
  KafkaEventsModule,
  type KafkaEventsOptionsFactory,
} from '../../lib/kafka-events.module.js';
import type { PublishError } from '../../lib/kafka-events.errors.js';
import type { KafkaEventsOptions, KafkaEventsSettings } from '../../lib/kafka-events.options.js';
import { KAFKA_EVENTS_SETTINGS } from '../../lib/kafka-events.tokens.js';
import type { KafkaDriver } from '../../lib/kafka/driver.js';
import { KafkaEventsHealth } from '../../lib/observability/health.js';
import { EventPublisher } from '../../lib/publishing/event-publisher.js';
import { onCleanup } from '../support/cleanup.js';
import { OrderCreated } from '../support/shop-events.js';

/** Nothing of these tests reaches Kafka, so the driver is only asked for. */
const driver: KafkaDriver = {
  name: 'none',
  consumer: unused,
  producer: unused,
  admin: unused,
};
function unused(): never {
  throw new Error('not used by this test');
}

const OPTIONS: KafkaEventsOptions = {
  clientId: 'shop',
  brokers: ['kafka:9092'],
  connect: false,
  consumer: { groupId: 'shop' },
  idempotency: { store: 'memory' },
  driver: () => driver,
};

async function boot(module: Type | DynamicModule) {
  const app = await NestFactory.createApplicationContext(module, {
    logger: false,
    abortOnError: false,
  });
  onCleanup(() => app.close());
  return app;
}

function appOf(...imports: (Type | DynamicModule)[]): Type {
  @Module({ imports })
  class AppModule {}
  return AppModule;
}

@Injectable()
class Shop {
  constructor(
    readonly events: EventPublisher,
    readonly health: KafkaEventsHealth,
  ) {}
}
@Module({ providers: [Shop] })
class ShopModule {}

describe('KafkaEventsModule.forRoot', () => {
  it('provides the publisher and the health to every module', async () => {
    const app = await boot(appOf(ShopModule, KafkaEventsModule.forRoot(OPTIONS)));

    const shop = app.get(Shop, { strict: false });

    expect(shop.events).toBeInstanceOf(EventPublisher);
    expect(shop.health.check()).toMatchObject({ status: 'up', groups: [] });
  });

  it('provides them to importers alone with isGlobal: false', async () => {
    const events = KafkaEventsModule.forRoot({ ...OPTIONS, isGlobal: false });
    @Module({ imports: [events], providers: [Shop] })
    class ImportingModule {}

    await expect(boot(appOf(ShopModule, events))).rejects.toThrow(
      'resolve dependencies of the Shop',
    );
    const app = await boot(appOf(ImportingModule));
    expect(app.get(Shop, { strict: false }).events).toBeInstanceOf(EventPublisher);
  });

  it('is one in an application', async () => {
    const twice = appOf(KafkaEventsModule.forRoot(OPTIONS), KafkaEventsModule.forRoot(OPTIONS));

    await expect(boot(twice)).rejects.toThrow(
      'KafkaEventsModule: is configured 2 times in this application',
    );
  });

  it('is needed: the bare class has no options', async () => {
    await expect(boot(appOf(KafkaEventsModule))).rejects.toThrow(
      'KafkaEventsModule: is imported without options',
    );
  });

  it('keeps two applications in one process apart', async () => {
    const one = await boot(appOf(KafkaEventsModule.forRoot(OPTIONS)));
    const two = await boot(appOf(KafkaEventsModule.forRoot({ ...OPTIONS, clientId: 'two' })));

    expect(one.get(EventPublisher)).not.toBe(two.get(EventPublisher));
    expect(two.get<KafkaEventsSettings>(KAFKA_EVENTS_SETTINGS).connection.clientId).toBe('two');
  });
});

describe('KafkaEventsModule.forRootAsync', () => {
  @Injectable()
  class Config implements KafkaEventsOptionsFactory {
    readonly clientId = 'from config';
    createKafkaEventsOptions(): KafkaEventsOptions {
      return { ...OPTIONS, clientId: this.clientId };
    }
  }
  @Module({ providers: [Config], exports: [Config] })
  class ConfigModule {}

  it.each([
    [
      'useFactory',
      KafkaEventsModule.forRootAsync({
        imports: [ConfigModule],
        inject: [Config],
        useFactory: (config: Config) => Promise.resolve(config.createKafkaEventsOptions()),
      }),
    ],
    ['useClass', KafkaEventsModule.forRootAsync({ useClass: Config })],
    [
      'useExisting',
      KafkaEventsModule.forRootAsync({ imports: [ConfigModule], useExisting: Config }),
    ],
  ])('takes its options from %s', async (_how, module) => {
    const app = await boot(appOf(module, ShopModule));

    const settings = app.get<KafkaEventsSettings>(KAFKA_EVENTS_SETTINGS, { strict: false });
    expect(settings.connection.clientId).toBe('from config');
    expect(app.get(Shop, { strict: false }).events).toBeInstanceOf(EventPublisher);
  });

  it('may be seen by importers alone', async () => {
    const module = KafkaEventsModule.forRootAsync({ useClass: Config, isGlobal: false });

    await expect(boot(appOf(module, ShopModule))).rejects.toThrow(
      'resolve dependencies of the Shop',
    );
  });
});

describe('the publisher while the application goes down', () => {
  const acknowledging: KafkaDriver = {
    ...driver,
    producer: () => ({
      send: (_topic, records) =>
        Promise.resolve(records.map((_record, i) => ({ partition: 0, offset: BigInt(i) }))),
      close: () => Promise.resolve(),
    }),
  };

  it('publishes in every other hook, and is closed after them', async () => {
    const log: string[] = [];
    const publish = async (events: EventPublisher, when: string) => {
      await events.publish(OrderCreated, { orderId: '1' }).then(
        () => log.push(`${when}: published`),
        (error: unknown) => log.push(`${when}: ${(error as PublishError).code}`),
      );
    };
    @Injectable()
    class Goodbye implements OnModuleDestroy, OnApplicationShutdown {
      constructor(readonly events: EventPublisher) {}
      onModuleDestroy(): Promise<void> {
        return publish(this.events, 'onModuleDestroy');
      }
      onApplicationShutdown(): Promise<void> {
        return publish(this.events, 'onApplicationShutdown');
      }
    }
    const options = { ...OPTIONS, connect: true, consume: false, driver: () => acknowledging };
    const app = await boot({
      module: appOf(KafkaEventsModule.forRoot(options)),
      providers: [Goodbye],
    });
    const publisher = app.get(EventPublisher);

    await app.close();
    await publish(publisher, 'afterwards');

    expect(log).toEqual([
      'onModuleDestroy: published',
      'onApplicationShutdown: published',
      'afterwards: PUBLISHER_CLOSED',
    ]);
  });
});
