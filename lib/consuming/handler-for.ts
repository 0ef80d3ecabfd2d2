import type { EventPayload, EventSource, PayloadOf } from '../contracts/event-source.js';
import type { EventBatch } from './batch/event-batch.js';
import type { EventContext } from './event-context.js';

/** One event, or several that one method takes. */
export type EventSources = EventSource | readonly EventSource[];

/** What a handler of these events is given: the union of their payloads, null for tombstones. */
export type HandledPayload<S extends EventSources, Tombstones extends boolean = false> =
  PayloadUnion<S> | ([Tombstones] extends [true] ? null : never);

type PayloadUnion<S extends EventSources> = S extends readonly EventSource[]
  ? EventPayload<S[number]>
  : S extends EventSource
    ? EventPayload<S>
    : never;

/**
 * `unknown` for a method that can take the payload, else a type no method has, so that the compiler
 * refuses it.
 *
 * A method can take the payload when one of its parameters accepts it or the type of one of its
 * properties (`@Payload('orderId') id: string`), or when it asks for the `EventContext` at most.
 * What a pipe makes of the payload is invisible to types: type such a parameter `unknown`, or as
 * something the payload or one of its properties fits.
 */
export type HandlerFor<M extends (...args: never[]) => unknown, Payload> =
  CanHandle<Parameters<M>, Payload> extends true
    ? unknown
    : { readonly 'no parameter of this handler accepts the event': Payload };

/**
 * `unknown` for a method that can take a batch of that payload, or has no parameters, else a type no
 * method has.
 */
export type BatchHandlerFor<M extends (...args: never[]) => unknown, Payload> =
  Parameters<M> extends readonly []
    ? unknown
    : true extends TakesBatch<Parameters<M>, Payload>[number]
      ? unknown
      : { readonly 'no parameter of this handler accepts the batch': EventBatch<Payload> };

type TakesBatch<Args extends readonly unknown[], Payload> = {
  [I in keyof Args]: [EventBatch<Payload>] extends [Args[I]] ? true : false;
};

type CanHandle<Args extends readonly unknown[], Payload> = [
  Exclude<Args[number], EventContext | undefined>,
] extends [never]
  ? true
  : true extends { [I in keyof Args]: Accepts<Args[I], Payload> }[number]
    ? true
    : false;

type Accepts<Parameter, Payload> = [Payload] extends [Parameter]
  ? true
  : AcceptsProperty<
      Parameter,
      PayloadOf<NonNullable<Payload>>,
      null extends Payload ? undefined : never
    >;

/** `OfNull` is what a property of a tombstone reads as. */
type AcceptsProperty<Parameter, Properties, OfNull> = true extends {
  [K in keyof Properties]-?: [Properties[K] | OfNull] extends [Parameter] ? true : false;
}[keyof Properties]
  ? true
  : false;
