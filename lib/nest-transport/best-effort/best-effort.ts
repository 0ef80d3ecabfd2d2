import type { CallHandler, ExecutionContext } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { KafkaHeaders, type KafkaContext } from '@nestjs/microservices';
import { catchError, type Observable } from 'rxjs';

import type { GroupSurroundings } from '../../consuming/build-group.js';
import { DeadLetterStep } from '../../consuming/dead-letter-step.js';
import { recordRef } from '../../consuming/delivery.js';
import { EventEnvelope } from '../../contracts/event-envelope.js';
import type { InvocationFault } from '../../failure/retry-policy.js';
import { DeadLetterWriter } from '../../failure/dead-letter-writer.js';
import { safeRedactor } from '../../failure/redact.js';
import { ClaimKeys } from '../../idempotency/claim-keys.js';
import { Claims } from '../../idempotency/claims.js';
import {
  AutoCommitError,
  InvalidHandlerError,
  RedeliveryError,
  toError,
} from '../../kafka-events.errors.js';
import { BatchCommits } from './batch-commits.js';
import { HeartbeatWait } from './heartbeat-wait.js';
import { PlainCourse, type CourseSurroundings } from './plain-course.js';
import { PlainHandlers } from './plain-handlers.js';
import { plainRecord } from './plain-record.js';
import { plainServerOf, type NestConsumer, type PlainServer } from './plain-server.js';
import { RecordHistories } from './record-histories.js';

/** Of the session, what waiting for one record may take: a rebalance must not be missed. */
const SHARE_OF_SESSION = 1 / 3;

/** One `ServerKafka`, and what we keep for it. */
interface Served {
  readonly server: PlainServer;
  readonly handlers: PlainHandlers;
  readonly histories: RecordHistories;
  readonly keys: ClaimKeys;
  readonly commits: BatchCommits;
  readonly around: CourseSurroundings;
}

/**
 * Idempotency, retries and dead letters behind Nest's own `ServerKafka`, as far as that goes: records
 * are seen after Nest's parser, a rebalance takes a partition from under a running handler, and what
 * waits holds up all partitions of its broker.
 */
export class BestEffort {
  readonly #served = new Map<NestConsumer, Served>();
  /** Of each record: a filter learns its context and what was thrown, not by which handler. */
  readonly #courses = new WeakMap<KafkaContext, PlainCourse[]>();
  /** What becomes of records of which nobody knows whose failure it is: of each, one thing. */
  readonly #unknown = new WeakMap<KafkaContext, Promise<unknown>>();
  readonly #open = new Set<Claims>();

  /** @internal Made by `KafkaEventsModule`. */
  constructor(
    private readonly around: Pick<
      GroupSurroundings,
      'settings' | 'sendAside' | 'signals' | 'random' | 'owner'
    >,
    private readonly modules: ModulesContainer,
  ) {}

  /** Runs a handler unless its event is done. @throws AutoCommitError, RedeliveryError. */
  handle(
    context: KafkaContext,
    execution: ExecutionContext,
    next: CallHandler,
  ): Observable<unknown> {
    try {
      const served = this.#servedBy(context.getConsumer());
      const handlerId = served.handlers.idOf(execution);
      const courses = this.#courses.get(context) ?? [];
      // The interceptor stands on the class and on the method, or calls the handler once more.
      if (courses.some((course) => course.handlerId === handlerId)) return next.handle();
      const course = this.#courseOf(context, served, handlerId);
      this.#courses.set(context, [...courses, course]);
      return course.attempt(next).pipe(
        catchError((thrown: unknown) => {
          const error = toError(thrown);
          course.failedWith(error);
          if (course.isRedelivery(error)) this.#comeBackTo(context);
          throw error;
        }),
      );
    } catch (error) {
      this.#comeBackTo(context);
      throw error;
    }
  }

  /** Whether a failure is an event's: known from its handler, else by nobody waiting for an answer. */
  isOfAnEvent(context: KafkaContext): boolean {
    if (this.#courses.has(context)) return true;
    const { headers } = context.getMessage();
    return !headers?.[KafkaHeaders.REPLY_TOPIC] || !headers[KafkaHeaders.CORRELATION_ID];
  }

  /** Takes a failure to its end; resolves when the record is dealt with. @throws RedeliveryError else. */
  async failed(error: Error, fault: InvocationFault, context: KafkaContext): Promise<unknown> {
    if (isOurs(error)) throw error;
    const served = this.#servedBy(context.getConsumer());
    const course = this.#failedCourse(error, context, served);
    if (course !== null) return course.failed(error, fault);
    const known = this.#unknown.get(context);
    if (known !== undefined) return known;
    const dealtWith = this.#courseOf(context, served, null).failed(error, fault);
    this.#unknown.set(context, dealtWith);
    return dealtWith;
  }

  /** Null where nobody can tell: a guard fails before the handler's course, others may map its error. */
  #failedCourse(error: Error, context: KafkaContext, served: Served): PlainCourse | null {
    const courses = this.#courses.get(context) ?? [];
    const failed = courses.find((course) => course.takesFailure(error));
    const [only = null] = courses;
    return failed ?? (served.handlers.countOf(context.getTopic()) === 1 ? only : null);
  }

  /**
   * Has kafkajs go back to a record that nobody has dealt with, even where a filter of the
   * application's own takes our error for one that it may handle.
   */
  #comeBackTo(context: KafkaContext): void {
    const at = { topic: context.getTopic(), partition: context.getPartition() };
    this.#served.get(context.getConsumer())?.commits.withdraw(at);
    try {
      context.getConsumer().seek({ ...at, offset: context.getMessage().offset });
    } catch {
      // It is not running any more: whoever runs next begins at the committed offset.
    }
  }

  close(): void {
    for (const claims of this.#open) claims.close();
  }

  #courseOf(context: KafkaContext, served: Served, handlerId: string | null): PlainCourse {
    const { server, keys, commits, histories, around } = served;
    const placed = plainRecord(context);
    const { partition, record } = placed;
    commits.begin(partition, record.offset);
    const envelope = new EventEnvelope(partition, record);
    const { eventId, eventType } = envelope;
    const scope = { claimedAs: handlerId ?? '', idempotency: { scope: 'event' as const } };
    const wait = new HeartbeatWait(
      this.around.settings.clock,
      context.getHeartbeat(),
      server.heartbeatIntervalMs,
      server.sessionTimeoutMs * SHARE_OF_SESSION,
    );
    const ref = {
      ...recordRef(server.groupId, placed),
      handlerId: handlerId ?? `@EventPattern(${partition.topic})`,
      eventId,
      eventType,
    };
    const key = handlerId === null ? null : keys.keyOf(envelope, eventType, scope);
    const history = histories.of(partition, record.offset);
    return new PlainCourse(placed, ref, key, history, wait, around);
  }

  #servedBy(consumer: NestConsumer): Served {
    const known = this.#served.get(consumer);
    if (known !== undefined) return known;
    const server = plainServerOf(consumer, this.modules);
    const handlers = new PlainHandlers(server.server, this.modules);
    const clashes = handlers.clashes();
    if (clashes.length > 0) throw new InvalidHandlerError(clashes);
    const { groupId, sessionTimeoutMs } = server;
    const { settings, sendAside, signals, random, owner } = this.around;
    const { clock, idempotency, deadLetter } = settings;
    const claims = new Claims(idempotency.store, {
      leaseMs: sessionTimeoutMs,
      owner,
      clock,
      onStoreError: (operation, error) => {
        signals.emit('storeFailed', { groupId, operation, error });
      },
    });
    this.#open.add(claims);
    const served: Served = {
      server,
      handlers,
      histories: new RecordHistories(),
      keys: new ClaimKeys(groupId),
      commits: new BatchCommits(consumer, {
        intervalMs: settings.group(groupId).commitIntervalMs,
        clock,
        onFailed: (error) => {
          signals.emit('commitFailed', { groupId, error: toError(error) });
        },
      }),
      around: {
        settings,
        claims,
        leaseMs: sessionTimeoutMs,
        deadLetters: new DeadLetterStep(
          groupId,
          new DeadLetterWriter(deadLetter, sendAside),
          signals,
          clock,
        ),
        signals,
        random,
        redact: safeRedactor(deadLetter.redact),
      },
    };
    this.#served.set(consumer, served);
    return served;
  }
}

function isOurs(error: Error): boolean {
  return (
    error instanceof AutoCommitError ||
    error instanceof InvalidHandlerError ||
    error instanceof RedeliveryError
  );
}
