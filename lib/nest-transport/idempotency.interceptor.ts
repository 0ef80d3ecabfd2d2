import 'reflect-metadata';

import {
  Injectable,
  type CallHandler,
  type ExecutionContext,
  type NestInterceptor,
} from '@nestjs/common';
import { KafkaContext } from '@nestjs/microservices';
import { from, mergeMap, of, type Observable } from 'rxjs';

import { EVENT_HANDLER, PATTERN_HANDLER_METADATA } from '../consuming/nest-metadata.js';
import { isPromise } from '../contracts/maybe-promise.js';
import { BestEffort } from './best-effort/best-effort.js';
import { KafkaEventsContext } from './kafka-events-context.js';

/**
 * Runs an `@EventPattern` handler once for each event, and lets its offset be committed afterwards.
 *
 * Behind `KafkaEventsServer` this holds through retries, restarts and rebalances, as it does for
 * `@EventHandler`. Behind Nest's own `ServerKafka` it is best effort: see docs/migrating.md. There
 * `run.autoCommit` must be off.
 *
 * Requests that wait for a reply, and calls from anywhere else than Kafka, pass through it untouched.
 *
 * @throws AutoCommitError at the boot, or the first record, of a `ServerKafka` that commits offsets by
 * itself.
 */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  /** @internal Made by Nest. */
  constructor(private readonly bestEffort: BestEffort) {}

  intercept(execution: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (execution.getType() !== 'rpc') return next.handle();
    const context: unknown = execution.switchToRpc().getContext();
    if (context instanceof KafkaEventsContext) return onceClaimed(context, next);
    if (!(context instanceof KafkaContext) || !takesEvents(execution)) return next.handle();
    return this.bestEffort.handle(context, execution, next);
  }
}

/** `@MessagePattern` answers somebody, each time it is asked. */
function takesEvents(execution: ExecutionContext): boolean {
  return Reflect.getMetadata(PATTERN_HANDLER_METADATA, execution.getHandler()) === EVENT_HANDLER;
}

/** Not claimed: an empty success. The engine knows why, and what comes next. */
function onceClaimed(context: KafkaEventsContext, next: CallHandler): Observable<unknown> {
  const run = (claimed: boolean): Observable<unknown> => (claimed ? next.handle() : of(undefined));
  const claiming = context.claim();
  return isPromise(claiming) ? from(claiming).pipe(mergeMap(run)) : run(claiming);
}
