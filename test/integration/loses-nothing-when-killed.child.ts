/**
 * A service to be killed: it freezes at a chosen point of a record's way and says so. Nothing in the
 * product knows of these points; they are where its ports are called.
 *
 * Its argument is a `CrashSetup` as JSON; a line on stdin closes it.
 */
import { appendFileSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Controller,
  Module,
  UseFilters,
  UseInterceptors,
  type INestApplicationContext,
  type LogLevel,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx, EventPattern, Payload } from '@nestjs/microservices';
import { IsBoolean } from 'class-validator';
import {
  DomainEvent,
  EventContext,
  EventHandler,
  IdempotencyInterceptor,
  KafkaEventsContext,
  KafkaEventsModule,
  KafkaEventsServer,
  NonRetryableEventError,
  RetryDeadLetterFilter,
  type Completion,
  type ConsumerDriver,
  type IdempotencyStore,
  type KafkaDriver,
  type ProducerDriver,
} from '../../lib/index.js';
import { kafkaJsDriver } from '../../lib/kafka/drivers/kafkajs/kafkajs-driver.js';
import { quickOptions } from '../support/nest-app.js';
import { RemoteStore } from '../support/remote-store.js';

export type CrashPoint =
  | 'after the claim'
  | 'in the handler'
  | 'after the handler, before complete'
  | 'after complete, before settle'
  | 'before the commit'
  | 'during the commit'
  | 'after the commit, unheard'
  | 'after the DLQ acknowledgement'
  | 'after the retry topic acknowledgement';

export interface CrashPlan {
  /** Where the process freezes: the first time that it gets there after so many effects. */
  readonly point: CrashPoint;
  readonly afterEffects: number;
  /** Handlers beyond this wait for ever: the process cannot be done before it freezes. */
  readonly maxEffects: number;
}

export interface CrashSetup {
  readonly brokers: readonly string[];
  readonly topic: string;
  readonly groupId: string;
  readonly storePort: number;
  /** File that effects are appended to. */
  readonly journal: string;
  readonly sessionTimeoutMs: number;
  /** `@EventPattern` stands behind `KafkaEventsServer`, with its interceptor and filter. */
  readonly handledBy: '@EventHandler' | '@EventPattern';
  /** Whether what fails goes to a retry topic: flaky events succeed there. */
  readonly retries: boolean;
  /** Null runs to the end. */
  readonly crash: CrashPlan | null;
}

@DomainEvent({ type: 'order.created', version: 1, topic: 'orders', key: () => 'unused' })
class OrderCreated {
  @IsBoolean() poison!: boolean;
  /** Fails the first time. */
  @IsBoolean() flaky!: boolean;
}

/** Stops the whole process in mid-instruction, at the planned point. */
class Crash {
  #effects = 0;

  constructor(private readonly plan: CrashPlan | null) {}

  /** Makes an effect, or waits for ever where there were enough. */
  async effect(make: () => void): Promise<void> {
    if (this.#effects >= (this.plan?.maxEffects ?? Infinity)) await new Promise(() => undefined);
    this.#effects++;
    make();
  }

  reach(point: CrashPoint): void {
    if (this.plan?.point !== point || this.#effects < this.plan.afterEffects) return;
    writeSync(process.stdout.fd, 'at the point\n');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }
}

function crashingStore(store: IdempotencyStore, crash: Crash): IdempotencyStore {
  return {
    name: store.name,
    inProcess: false,
    claim: async (requests) => {
      const answers = await store.claim(requests);
      if (answers.some(({ status }) => status === 'claimed')) crash.reach('after the claim');
      return answers;
    },
    complete: async (completions: readonly Completion[]) => {
      crash.reach('after the handler, before complete');
      const answers = await store.complete(completions);
      crash.reach('after complete, before settle');
      return answers;
    },
    release: (releases) => store.release(releases),
    renew: (renewals) => store.renew(renewals),
    close: () => store.close?.(),
  };
}

function crashingDriver(driver: KafkaDriver, crash: Crash): KafkaDriver {
  return {
    name: driver.name,
    consumer: (config) => crashingConsumer(driver.consumer(config), crash),
    producer: () => crashingProducer(driver.producer(), crash),
    admin: () => driver.admin(),
  };
}

function crashingConsumer(consumer: ConsumerDriver, crash: Crash): ConsumerDriver {
  return {
    start: (hooks) => consumer.start(hooks),
    pause: (partition) => {
      consumer.pause(partition);
    },
    resume: (partition) => {
      consumer.resume(partition);
    },
    commit: async (items) => {
      crash.reach('before the commit');
      const committing = consumer.commit(items);
      setImmediate(() => {
        crash.reach('during the commit');
      });
      const committed = await committing;
      crash.reach('after the commit, unheard');
      return committed;
    },
    quiesce: () => {
      consumer.quiesce();
    },
    stop: (deadlineMs) => consumer.stop(deadlineMs),
  };
}

function crashingProducer(producer: ProducerDriver, crash: Crash): ProducerDriver {
  return {
    send: async (topic, records) => {
      const positions = await producer.send(topic, records);
      if (topic.endsWith('.dlq')) crash.reach('after the DLQ acknowledgement');
      if (topic.endsWith('.retry')) crash.reach('after the retry topic acknowledgement');
      return positions;
    },
    close: () => producer.close(),
  };
}

async function runService(setup: CrashSetup): Promise<INestApplicationContext> {
  const crash = new Crash(setup.crash);
  const { brokers, groupId, topic, journal, sessionTimeoutMs } = setup;

  const handle = async (
    { poison, flaky }: OrderCreated,
    { eventId, attempt }: EventContext,
  ): Promise<void> => {
    await sleep(5);
    if (flaky && attempt === 1) throw new Error('flaky');
    if (poison) throw new NonRetryableEventError('poison');
    await crash.effect(() => {
      appendFileSync(journal, `effect ${eventId}\n`);
    });
    crash.reach('in the handler');
  };

  class Handlers {
    @EventHandler(OrderCreated)
    handle(@Payload() order: OrderCreated, @Ctx() event: EventContext): Promise<void> {
      return handle(order, event);
    }
  }

  @Controller()
  @UseInterceptors(IdempotencyInterceptor)
  @UseFilters(RetryDeadLetterFilter)
  class Patterns {
    @EventPattern([topic])
    handle(@Payload() order: OrderCreated, @Ctx() { event }: KafkaEventsContext): Promise<void> {
      return handle(order, event);
    }
  }

  const options = quickOptions(brokers, groupId, topic, {
    ...(setup.retries ? { retry: { attempts: 1 }, retryTopic: { delaysMs: [300] } } : {}),
    consumer: { sessionTimeoutMs, revokeDrainMs: sessionTimeoutMs / 3, commitIntervalMs: 20 },
    idempotency: { store: crashingStore(await RemoteStore.connect(setup.storePort), crash) },
    driver: (connection) =>
      crashingDriver(
        kafkaJsDriver(connection, () => undefined),
        crash,
      ),
  });

  const logger: LogLevel[] = ['error', 'warn', 'log', 'debug'];
  const imports = [KafkaEventsModule.forRoot({ ...options, nestTransport: { ordering: 'key' } })];
  if (setup.handledBy === '@EventHandler') {
    @Module({ imports, providers: [Handlers] })
    class HandlersModule {}
    return NestFactory.createApplicationContext(HandlersModule, { logger });
  }
  @Module({ imports, controllers: [Patterns] })
  class PatternsModule {}
  const app = await NestFactory.createMicroservice(PatternsModule, {
    logger,
    inject: [KafkaEventsServer],
    useFactory: (strategy: KafkaEventsServer) => ({ strategy }),
  });
  await app.listen();
  return app;
}

const service = await runService(JSON.parse(process.argv[2] ?? '') as CrashSetup);

createInterface({ input: process.stdin }).once('line', () => {
  void service.close().finally(() => process.exit());
});
