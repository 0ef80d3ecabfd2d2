import {
  Module,
  type INestApplicationContext,
  type LoggerService,
  type ModuleMetadata,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { KafkaEventsModuleOptions } from '../../lib/kafka-events.module.js';
import { onCleanup } from './cleanup.js';

/** Options of a service that commits often and notices soon when another member is gone. */
export function quickOptions(
  brokers: readonly string[],
  groupId: string,
  topic: string,
  { consumer, ...overrides }: KafkaEventsModuleOptions = {},
): KafkaEventsModuleOptions {
  return {
    clientId: 'delivery-test',
    brokers,
    topicName: () => topic,
    idempotency: { store: 'memory' },
    retry: { initialDelayMs: 5, maxDelayMs: 20 },
    ...overrides,
    consumer: {
      groupId,
      sessionTimeoutMs: 6000,
      heartbeatIntervalMs: 300,
      maxWaitTimeMs: 100,
      commitIntervalMs: 50,
      revokeDrainMs: 2000,
      ...consumer,
    },
  };
}

/** Boots a Nest application context from a root module; it is closed after the test or file. */
export async function bootApp(
  metadata: ModuleMetadata,
  logger: LoggerService | false = false,
): Promise<INestApplicationContext> {
  @Module(metadata)
  class RootModule {}
  const app = await NestFactory.createApplicationContext(RootModule, {
    logger,
    abortOnError: false,
  });
  onCleanup(() => app.close());
  return app;
}
