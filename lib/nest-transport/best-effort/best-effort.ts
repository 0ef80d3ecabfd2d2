import type { CallHandler } from '@nestjs/common';
import type { ModulesContainer } from '@nestjs/core';
import { KafkaHeaders, type KafkaContext } from '@nestjs/microservices';
import { catchError, type Observable } from 'rxjs';

import type { GroupSurroundings } from '../../consuming/build-group.js';
import { DeadLetterStep } from '../../consuming/dead-letter-step.js';
import { recordRef } from '../../consuming/delivery.js';
import { EventEnvelope } from '../../contracts/event-envelope.js';
import type { InvocationFault } from '../../failure/classify-failure.js';
import { DeadLetterWriter } from '../../failure/dead-letter-writer.js';
import { ClaimKeys } from '../../idempotency/claim-keys.js';
import { Claims } from '../../idempotency/claims.js';
import { AutoCommitError, RedeliveryError, toError } from '../../kafka-events.errors.js';
import { AttemptCounts } from './attempt-counts.js';
import { BatchCommits } from './batch-commits.js';
import { HeartbeatWait } from './heartbeat-wait.js';
import { PlainCourse, type CourseSurroundings } from './plain-course.js';
import { plainRecord } from './plain-record.js';
import { plainServerOf, type NestConsumer, type PlainServer } from './plain-server.js';

/** Of the session, what waiting for one record may take: a rebalance must not be missed. */
const SHARE_OF_SESSION = 1 / 3;

/** One `ServerKafka`, and what we keep for it. */
interface Served {
  readonly server: PlainServer;
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
  /** By the error that its handler threw: that is all a filter learns. */
  readonly #courses = new WeakMap<Error, PlainCourse>();
  readonly #open = new Set<Claims>();

  /** @internal Made by `KafkaEventsModule`. */
  constructor(
    private readonly around: Pick<
      GroupSurroundings,
      'settings' | 'sendDeadLetter' | 'signals' | 'random' | 'owner'
    >,
    private readonly modules: ModulesContainer,
  ) {}

  /** Runs a handler unless its event is done. @throws AutoCommitError, RedeliveryError. */
  handle(context: KafkaContext, handlerId: string, next: CallHandler): Observable<unknown> {
    const served = this.#servedBy(context.getConsumer());
    const course = this.#courseOf(context, served, handlerId);
    return course.attempt(next).pipe(
      catchError((thrown: unknown) => {
        const error = toError(thrown);
        this.#courses.set(error, course);
        throw error;
      }),
    );
  }

  /** Whether a failure is an event's: known from its handler, else by nobody waiting for an answer. */
  isOfAnEvent(error: Error, context: KafkaContext): boolean {
    if (this.#courses.has(error)) return true;
    const { headers = {} } = context.getMessage();
    return !(KafkaHeaders.REPLY_TOPIC in headers && KafkaHeaders.CORRELATION_ID in headers);
  }

  /** Takes a failure to its end; resolves when the record is dealt with. @throws RedeliveryError else. */
  async failed(error: Error, fault: InvocationFault, context: KafkaContext): Promise<unknown> {
    if (error instanceof AutoCommitError || error instanceof RedeliveryError) throw error;
    const course =
      this.#courses.get(error) ??
      this.#courseOf(context, this.#servedBy(context.getConsumer()), null);
    return course.failed(error, fault);
  }

  close(): void {
    for (const claims of this.#open) claims.close();
  }

  #courseOf(context: KafkaContext, served: Served, handlerId: string | null): PlainCourse {
    const { server, keys, commits, around } = served;
    const placed = plainRecord(context);
    commits.begin(placed.partition, placed.record.offset);
    const envelope = new EventEnvelope(placed.partition, placed.record);
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
      handlerId: handlerId ?? `@EventPattern(${placed.partition.topic})`,
      eventId,
      eventType,
    };
    const key = handlerId === null ? null : keys.keyOf(envelope, eventType, scope);
    return new PlainCourse(placed, ref, key, wait, around);
  }

  #servedBy(consumer: NestConsumer): Served {
    const known = this.#served.get(consumer);
    if (known !== undefined) return known;
    const server = plainServerOf(consumer, this.modules);
    const { groupId, sessionTimeoutMs } = server;
    const { settings, sendDeadLetter, signals, random, owner } = this.around;
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
        attempts: new AttemptCounts(),
        deadLetters: new DeadLetterStep(
          groupId,
          new DeadLetterWriter(deadLetter, sendDeadLetter),
          signals,
          clock,
        ),
        signals,
        random,
      },
    };
    this.#served.set(consumer, served);
    return served;
  }
}
