import type { ModulesContainer } from '@nestjs/core';
import { ServerKafka, type KafkaContext } from '@nestjs/microservices';

import { AutoCommitError } from '../../kafka-events.errors.js';
import { KafkaEventsServer } from '../kafka-events-server.js';

export type NestConsumer = ReturnType<KafkaContext['getConsumer']>;

/** What we read of a server; Nest declares these protected. */
interface ServerInside {
  readonly consumer?: unknown;
  readonly groupId?: unknown;
  readonly options?: {
    readonly run?: { readonly autoCommit?: boolean };
    readonly consumer?: { readonly sessionTimeout?: number; readonly heartbeatInterval?: number };
  };
}

/** What can be told of a `ServerKafka` from the outside. */
export class PlainServer {
  readonly #inside: ServerInside;

  constructor(readonly server: ServerKafka) {
    this.#inside = server as unknown as ServerInside;
  }

  isOf(consumer: NestConsumer): boolean {
    return this.#inside.consumer === consumer;
  }
  /** With Nest's postfix: `orders-server`. */
  get groupId(): string {
    return String(this.#inside.groupId);
  }
  get sessionTimeoutMs(): number {
    return this.#inside.options?.consumer?.sessionTimeout ?? 30_000;
  }
  get heartbeatIntervalMs(): number {
    return this.#inside.options?.consumer?.heartbeatInterval ?? 3_000;
  }

  /** @throws AutoCommitError when it commits offsets by itself. */
  refuseAutoCommit(): void {
    if (this.#inside.options?.run?.autoCommit === false) return;
    throw new AutoCommitError(
      'the Kafka microservice commits offsets by itself, handled or not: set ' +
        'options.run.autoCommit to false, then IdempotencyInterceptor commits what was handled; ' +
        'or use KafkaEventsServer as its strategy',
    );
  }
}

/** Nest's own Kafka microservices of the application, created so far. */
export function plainServersOf(modules: ModulesContainer): PlainServer[] {
  const servers: PlainServer[] = [];
  // Replays every microservice, at once.
  const replay = modules.getRpcTargetRegistry<unknown>().subscribe((target) => {
    if (target instanceof ServerKafka && !(target instanceof KafkaEventsServer)) {
      servers.push(new PlainServer(target));
    }
  });
  replay.unsubscribe();
  return servers;
}

/** @throws AutoCommitError when it commits offsets by itself, or is none that Nest has registered. */
export function plainServerOf(consumer: NestConsumer, modules: ModulesContainer): PlainServer {
  const server = plainServersOf(modules).find((each) => each.isOf(consumer));
  if (server === undefined) {
    throw new AutoCommitError(
      'the Kafka microservice of this record is not known to the application, so that nobody can ' +
        'tell whether it commits offsets by itself; use KafkaEventsServer as its strategy',
    );
  }
  server.refuseAutoCommit();
  return server;
}
