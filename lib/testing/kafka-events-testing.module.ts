import {
  Module,
  type DynamicModule,
  type OnApplicationShutdown,
  type OnModuleInit,
  type Provider,
} from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';

import { InvalidOptionsError } from '../kafka-events.errors.js';
import { KafkaEventsModule, type KafkaEventsModuleOptions } from '../kafka-events.module.js';
import type { KafkaEventsOptions } from '../kafka-events.options.js';
import { KAFKA_EVENTS_OPTIONS_OVERRIDE, KAFKA_EVENTS_SETTINGS } from '../kafka-events.tokens.js';
import { EventJournal } from './event-journal.js';
import { EventSpy } from './event-spy.js';
import { TestKafka, type TestKafkaOptions } from './test-kafka.js';
import { testingOptions } from './testing-options.js';

/** Options of `KafkaEventsModule`, of which none is needed, and where Kafka comes from. */
export interface KafkaEventsTestingOptions
  extends Omit<KafkaEventsOptions, 'brokers'>, TestKafkaOptions {
  /** Kafka started by the test, which stops it: for several applications, or one after another. */
  readonly kafka?: TestKafka;
}

/** The Kafka of one application under test, and whether it has to be stopped with it. */
class KafkaUnderTest {
  constructor(
    readonly kafka: TestKafka,
    private readonly owned: boolean,
  ) {}

  static async for(
    kafka: TestKafka | undefined,
    options: TestKafkaOptions,
  ): Promise<KafkaUnderTest> {
    if (kafka !== undefined) return new KafkaUnderTest(kafka, false);
    return new KafkaUnderTest(await TestKafka.start(options), true);
  }

  async release(): Promise<void> {
    if (this.owned) await this.kafka.stop();
  }
}

/**
 * Events on Kafka in a test, in one import: `KafkaEventsModule`, a broker in this process or a real
 * one (`TestKafka`), and the `EventSpy`; all modules may inject them.
 *
 * Options that tests want differ from the module's: topics are created; attempts, commits and
 * fetches follow each other quickly; whatever waits for the broker gives up within 4 s; and events are
 * remembered in memory. What is given here comes before all of it. See `TEST_OPTIONS`.
 */
@Module({})
export class KafkaEventsTestingModule implements OnModuleInit, OnApplicationShutdown {
  /** @internal Made by Nest. */
  constructor(
    private readonly modules: ModulesContainer,
    private readonly kafka: KafkaUnderTest,
  ) {
    shutDownLast(modules);
  }

  /** For modules under test that leave `KafkaEventsModule` to their root. */
  static forRoot({
    isGlobal = true,
    ...options
  }: KafkaEventsTestingOptions & Pick<KafkaEventsModuleOptions, 'isGlobal'> = {}): DynamicModule {
    return { ...this.forExisting(options), imports: [KafkaEventsModule.forRoot({ isGlobal })] };
  }

  /**
   * For applications that import `KafkaEventsModule` themselves: their options go on to hold, except
   * where tests want others and where these say otherwise.
   */
  static forExisting(options: KafkaEventsTestingOptions = {}): DynamicModule {
    return {
      module: KafkaEventsTestingModule,
      global: true,
      providers: providersFor(options),
      exports: [EventSpy, TestKafka, KAFKA_EVENTS_OPTIONS_OVERRIDE],
    };
  }

  onModuleInit(): void {
    const exists = [...this.modules.values()].some(({ providers }) =>
      providers.has(KAFKA_EVENTS_SETTINGS),
    );
    if (exists) return;
    const problem = 'finds no KafkaEventsModule in this application; import forRoot instead';
    throw new InvalidOptionsError([{ option: 'KafkaEventsTestingModule.forExisting', problem }]);
  }

  onApplicationShutdown(): Promise<void> {
    return this.kafka.release();
  }
}

function providersFor(options: KafkaEventsTestingOptions): Provider[] {
  const { kafka, brokers, embedded, ...ofModule } = options;
  return [
    { provide: KafkaUnderTest, useFactory: () => KafkaUnderTest.for(kafka, { brokers, embedded }) },
    {
      provide: TestKafka,
      useFactory: ({ kafka }: KafkaUnderTest) => kafka,
      inject: [KafkaUnderTest],
    },
    EventJournal,
    {
      provide: EventSpy,
      useFactory: (journal: EventJournal) => new EventSpy(journal),
      inject: [EventJournal],
    },
    {
      provide: KAFKA_EVENTS_OPTIONS_OVERRIDE,
      useFactory: (kafka: TestKafka, journal: EventJournal) =>
        testingOptions(ofModule, kafka, journal),
      inject: [TestKafka, EventJournal],
    },
  ];
}

/** Nest destroys the module farthest from the root last: see `KafkaEventsRuntimeModule`. */
function shutDownLast(modules: ModulesContainer): void {
  for (const module of modules.values()) {
    if (module.metatype === KafkaEventsTestingModule) module.distance = Number.POSITIVE_INFINITY;
  }
}
