import type { ModulesContainer } from '@nestjs/core';
import { ServerKafka, type KafkaContext } from '@nestjs/microservices';

import { AutoCommitError } from '../../kafka-events.errors.js';

export type NestConsumer = ReturnType<KafkaContext['getConsumer']>;

/** What can be told of a `ServerKafka` from the outside. */
export interface PlainServer {
  /** With Nest's postfix: `orders-server`. */
  readonly groupId: string;
  readonly sessionTimeoutMs: number;
  readonly heartbeatIntervalMs: number;
}

/** What we read of a server; Nest declares these protected. */
interface ServerInside {
  readonly consumer?: unknown;
  readonly groupId?: unknown;
  readonly options?: {
    readonly run?: { readonly autoCommit?: boolean };
    readonly consumer?: { readonly sessionTimeout?: number; readonly heartbeatInterval?: number };
  };
}

/**
 * Finds the `ServerKafka` that a consumer belongs to, among the microservices of the application.
 *
 * @throws AutoCommitError when it commits offsets by itself, or is none that Nest has registered.
 */
export function plainServerOf(consumer: NestConsumer, modules: ModulesContainer): PlainServer {
  const inside = serversOf(modules).find((server) => server.consumer === consumer);
  if (inside === undefined) {
    throw new AutoCommitError(
      'the Kafka microservice of this record is not known to the application, so that nobody can ' +
        'tell whether it commits offsets by itself; use KafkaEventsServer as its strategy',
    );
  }
  const { run, consumer: options } = inside.options ?? {};
  if (run?.autoCommit !== false) {
    throw new AutoCommitError(
      'the Kafka microservice commits offsets by itself, handled or not: set ' +
        'options.run.autoCommit to false, then IdempotencyInterceptor commits what was handled; ' +
        'or use KafkaEventsServer as its strategy',
    );
  }
  return {
    groupId: String(inside.groupId),
    sessionTimeoutMs: options?.sessionTimeout ?? 30_000,
    heartbeatIntervalMs: options?.heartbeatInterval ?? 3_000,
  };
}

function serversOf(modules: ModulesContainer): ServerInside[] {
  const servers: ServerInside[] = [];
  // Replays every microservice created so far, at once.
  const replay = modules.getRpcTargetRegistry<unknown>().subscribe((target) => {
    if (target instanceof ServerKafka) servers.push(target as unknown as ServerInside);
  });
  replay.unsubscribe();
  return servers;
}
