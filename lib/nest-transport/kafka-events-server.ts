import { Logger } from '@nestjs/common';
import { ServerKafka, type KafkaStatus, type MessageHandler } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';

import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import { InvalidHandlerError, NotHereError, toError } from '../kafka-events.errors.js';
import type { KafkaEventsSettings } from '../kafka-events.options.js';
import type { InRecord, TopicPartition } from '../kafka/records.js';
import type { ConsumerState } from '../kafka/driver.js';
import type { KafkaEventsContext } from './kafka-events-context.js';
import { toKafkaMessage, type NestKafkaMessage } from './kafka-message.js';
import type { ParsedRecord, PatternCalls } from './pattern-handler.js';

/** A handler as Nest registered it. */
export interface RegisteredPattern {
  readonly topic: string;
  readonly callback: MessageHandler;
  /** The decorator's own object, see `patternPlaces`. */
  readonly extras: object;
}

/** The application's consumers, by which a server starts and stops. */
export interface ServerConsumers {
  /** Starts them, once however often it is called; answers how that went. */
  start(): Promise<void>;
  /** Notes why they are not started yet. */
  postpone(reason: string): void;
  stop(): Promise<void>;
}

type HookedRun = Parameters<ServerKafka['runWithProcessingHooks']>;

const STATUS = new Map<string, `${KafkaStatus}`>([
  ['running', 'connected'],
  ['rebalancing', 'rebalancing'],
  ['restarting', 'crashed'],
  ['failed', 'crashed'],
  ['stopped', 'disconnected'],
] satisfies [ConsumerState, `${KafkaStatus}`][]);

/**
 * Nest's Kafka transport on the engine of `KafkaEventsModule`: `@EventPattern` controllers as they
 * are, consumed like `@EventHandler` methods.
 *
 *     app.connectMicroservice({ strategy: app.get(KafkaEventsServer) });
 *     NestFactory.createMicroservice(AppModule, {
 *       inject: [KafkaEventsServer],
 *       useFactory: (strategy: KafkaEventsServer) => ({ strategy }),
 *     });
 *
 * A pattern is the name of a topic, as it is. Records keep their bytes; they are decoded inside the
 * pipeline; each handler of a pattern has an outcome of its own, and an offset moves when all have
 * one. What fails is tried again until it succeeds; `RetryDeadLetterFilter` puts an end to that,
 * `IdempotencyInterceptor` keeps what is done from being done again.
 *
 * Consuming begins when the application has booted and the microservice listens, in one consumer
 * group with the `@EventHandler` methods of that group, and ends before any module is destroyed.
 *
 * @throws InvalidHandlerError where a `@MessagePattern` or a RegExp is registered: there is no
 * request-reply over topics, and topics are named.
 */
export class KafkaEventsServer extends ServerKafka {
  readonly #patterns: RegisteredPattern[] = [];
  readonly #problems: string[] = [];
  #consumers: ServerConsumers | null = null;
  #listening = false;
  #booted = false;
  #closed = false;

  /** @internal Made by `KafkaEventsModule`. */
  constructor({ nestTransport, connection, defaultGroupId }: KafkaEventsSettings) {
    const { parser, deserializer } = nestTransport;
    super({
      client: { brokers: [...connection.brokers], clientId: connection.clientId },
      consumer: { groupId: defaultGroupId ?? '' },
      postfixId: '',
      ...(parser && { parser }),
      ...(deserializer && { deserializer }),
    });
    this.logger = new Logger(KafkaEventsServer.name);
  }

  /** @internal Called by Nest for each pattern of each handler. */
  override addHandler(
    pattern: unknown,
    callback: MessageHandler,
    isEventHandler = false,
    extras: Record<string, unknown> = {},
  ): void {
    callback.isEventHandler = isEventHandler;
    callback.extras = extras;
    if (this.#booted) {
      this.#refuse(
        `pattern ${textOf(pattern)}`,
        'is registered after the application has booted; connect the microservice before',
      );
    } else if (pattern instanceof RegExp) {
      this.#problems.push(`pattern ${textOf(pattern)}: is a RegExp; name the topics in a list`);
    } else if (!isEventHandler) {
      this.#problems.push(
        `@MessagePattern(${textOf(pattern)}): KafkaEventsServer offers no request-reply over topics; ` +
          'use @EventPattern, ask over gRPC, or name the transport it is for: @MessagePattern(…, Transport.TCP)',
      );
    } else {
      const topic = typeof pattern === 'string' ? pattern : textOf(pattern);
      // Not chained as Nest would: each handler is called, fails and is retried by itself.
      this.messageHandlers.set(topic, callback);
      this.#patterns.push({ topic, callback, extras });
    }
  }

  /** @internal What Nest registered, when the application boots. */
  boot(): readonly RegisteredPattern[] {
    this.#booted = true;
    if (this.#problems.length > 0) throw new InvalidHandlerError(this.#problems);
    return this.#patterns;
  }

  /** @internal The application is up: starts it now, or when somebody listens. */
  async whenListening(consumers: ServerConsumers): Promise<void> {
    this.#consumers = consumers;
    if (this.#listening || this.#patterns.length === 0) {
      await consumers.start();
      return;
    }
    const waits =
      'consuming begins when the microservice listens: startAllMicroservices(), or listen()';
    consumers.postpone(waits);
    this.logger.log(waits);
  }

  /** @internal How handlers of this server are read for and called. */
  callsOf(callback: MessageHandler): PatternCalls {
    return {
      parse: (record, at) => this.#parse(record, at),
      call: (data, context) => this.#call(callback, data, context),
    };
  }

  override async listen(callback: (err?: unknown) => void): Promise<void> {
    this.#listening = true;
    try {
      if (this.#closed) {
        throw new NotHereError('KafkaEventsServer is closed: its application has to be made anew');
      }
      // In a hybrid application microservices listen first: `whenListening` starts it then.
      await this.#consumers?.start();
      callback();
    } catch (error) {
      callback(error);
    }
  }

  override async close(): Promise<void> {
    this.#closed = true;
    await this.#consumers?.stop();
    this._status$.next(statusOf('disconnected'));
  }

  override unwrap(): never {
    throw new NotHereError(
      'KafkaEventsServer has no kafkajs client to unwrap: inject EventPublisher to publish, ' +
        'KafkaEventsHealth to look at consumers',
    );
  }

  /** @internal Shows consumer states as the status of the microservice. */
  onConsumerState({ state }: { readonly state: string }): void {
    const status = STATUS.get(state);
    if (status !== undefined && this.#listening) this._status$.next(statusOf(status));
  }

  #parse(record: InRecord, at: TopicPartition): MaybePromise<ParsedRecord> {
    const message = this.parser?.parse<NestKafkaMessage>(toKafkaMessage(record, at));
    if (message === undefined) throw new TypeError('KafkaEventsServer has no parser');
    const packet: unknown = this.deserializer.deserialize(message, { channel: at.topic });
    return isPromise(packet)
      ? packet.then((each) => ({ message, data: dataOf(each) }))
      : { message, data: dataOf(packet) };
  }

  #call(callback: MessageHandler, data: unknown, context: KafkaEventsContext): Promise<void> {
    return new Promise((resolve, reject) => {
      // Declared to answer nothing; it answers what an asynchronous hook does.
      const runInHooks: (...args: HookedRun) => unknown = this.runWithProcessingHooks.bind(this);
      const hooked = runInHooks(context, async (ended) => {
        try {
          const returned: unknown = await callback(data, context);
          if (isObservable(returned)) await lastValueFrom(returned, { defaultValue: undefined });
          resolve();
        } catch (error) {
          reject(toError(error));
        } finally {
          this.#unlessItFails(ended);
        }
      });
      if (isPromise(hooked)) hooked.catch(reject);
    });
  }

  /** The handler has run: an instrumentation that fails now must not have it run again. */
  #unlessItFails(endHook: () => void): void {
    try {
      endHook();
    } catch (error) {
      this.logger.error(`the processing end hook failed: ${toError(error).message}`);
    }
  }

  #refuse(what: string, why: string): never {
    throw new InvalidHandlerError([`${what}: ${why}`]);
  }
}

function dataOf(packet: unknown): unknown {
  return typeof packet === 'object' && packet !== null && 'data' in packet ? packet.data : packet;
}

function textOf(pattern: unknown): string {
  if (typeof pattern === 'string') return pattern;
  return pattern instanceof RegExp ? String(pattern) : JSON.stringify(pattern);
}

// A const enum without values at run time, which are these texts.
function statusOf(status: `${KafkaStatus}`): KafkaStatus {
  return status as unknown as KafkaStatus;
}
