import { Inject, Injectable } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';

import type { EventPayload, EventSource } from '../contracts/event-source.js';
import type { MaybePromise } from '../contracts/maybe-promise.js';
import { EventContext } from '../consuming/event-context.js';
import { EventHandler } from '../consuming/event-handler.decorator.js';
import type { EventHandlerOptions } from '../consuming/handler-options.js';
import { printable } from '../fallback/call-options.js';
import { SyncFallbackClient } from '../fallback/sync-fallback-client.js';
import type { SyncMethod, SyncReply, SyncRequest, SyncService } from '../fallback/sync-service.js';
import { SyncCallError } from '../kafka-events.errors.js';
import type { OutgoingEvent } from '../publishing/publish-options.js';
import { asHandlerFailure } from './as-handler-failure.js';

/** An event that becomes a call of a system that knows no events. */
export interface LegacyCall<S extends EventSource, Api extends object, M extends SyncMethod<Api>> {
  /** The handler's id, for claims, dead letters and overrides; never change it. */
  readonly id: string;
  readonly event: S;
  readonly service: SyncService<Api>;
  readonly method: M;
  /** The contract of the event as the contract of the system has it. */
  readonly request: (payload: EventPayload<S>, event: EventContext) => SyncRequest<Api, M>;
  /** What the reply means to others: an event to publish, or null. Default: nothing. */
  readonly reply?: (
    reply: SyncReply<Api, M>,
    payload: EventPayload<S>,
    event: EventContext,
  ) => MaybePromise<OutgoingEvent | null>;
  /**
   * True for a refusal that says that an earlier attempt has got through, `ALREADY_EXISTS` for example: the
   * event is handled then, without a reply.
   */
  readonly isDone?: (refusal: SyncCallError) => boolean;
  /** Under which the event's id goes along, so that the system can tell a repetition. Default `idempotency-key`. */
  readonly idempotencyHeader?: string;
  /** As of any handler: concurrency, retries, retry topic, outage. */
  readonly handler?: Omit<EventHandlerOptions, 'id'>;
}

/**
 * A handler that carries events over into calls: put what it answers among the providers of a module.
 *
 * It runs in the pipeline of all handlers, with claims, order, retries and dead letters, and calls through
 * `SyncFallbackClient`, with the service's breaker. Refusals that blame the request dead-letter the event at
 * once; while the breaker is open the event is tried again when that may be over; everything else is
 * retried. Fallbacks of the service are not asked: only the system itself can carry a command out.
 */
export function legacyCall<S extends EventSource, Api extends object, M extends SyncMethod<Api>>(
  call: LegacyCall<S, Api, M>,
): new (sync: SyncFallbackClient) => object {
  const sources: readonly EventSource[] = [call.event];

  @Injectable()
  class LegacyCallHandler {
    constructor(@Inject(SyncFallbackClient) private readonly sync: SyncFallbackClient) {}

    @EventHandler(sources, { ...call.handler, id: call.id })
    async handle(@Payload() payload: unknown, @Ctx() event: EventContext): Promise<void> {
      // What the contract of `call.event` has accepted is its payload.
      await carryOver(call, payload as EventPayload<S>, event, this.sync);
    }
  }
  return LegacyCallHandler;
}

async function carryOver<S extends EventSource, Api extends object, M extends SyncMethod<Api>>(
  call: LegacyCall<S, Api, M>,
  payload: EventPayload<S>,
  event: EventContext,
  sync: SyncFallbackClient,
): Promise<void> {
  const { idempotencyHeader = 'idempotency-key' } = call;
  const metadata = { [idempotencyHeader]: printable(event.eventId) };
  const request = call.request(payload, event);
  const reply = await sync
    .service(call.service)
    .call(call.method, request, { event, metadata, fallback: false })
    .then((result) => {
      if (result.source === 'service') return { value: result.value };
      throw result.cause;
    })
    .catch((thrown: unknown) => {
      if (isRefusal(thrown) && call.isDone?.(thrown) === true) return null;
      throw asHandlerFailure(thrown);
    });
  const meant = reply && (await call.reply?.(reply.value, payload, event));
  if (meant === null || meant === undefined) return;
  // Its id follows from the event's, whatever is given.
  await event.publish(meant.source, meant.payload, meant.options);
}

function isRefusal(thrown: unknown): thrown is SyncCallError {
  return thrown instanceof SyncCallError && thrown.origin === 'service';
}
