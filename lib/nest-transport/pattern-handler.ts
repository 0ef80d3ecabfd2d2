import type { EventContext } from '../consuming/event-context.js';
import type { BoundHandler, CallControl, WholeTopic } from '../consuming/event-handler.js';
import { EventOutcome } from '../consuming/event-outcome.js';
import type { HandlerSettings } from '../consuming/handler-options.js';
import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import type { InvocationFault } from '../failure/retry-policy.js';
import { toError, UndecodableRecordError } from '../kafka-events.errors.js';
import { KafkaEventsContext } from './kafka-events-context.js';
import type { NestKafkaMessage } from './kafka-message.js';

/** What Nest's parser and deserializer make of a record. */
export interface ParsedRecord {
  readonly message: NestKafkaMessage;
  readonly data: unknown;
}

/** How `KafkaEventsServer` reads records and calls what Nest has registered. */
export interface PatternCalls {
  readonly parse: (...read: Parameters<WholeTopic['read']>) => MaybePromise<ParsedRecord>;
  readonly call: (data: unknown, context: KafkaEventsContext) => Promise<void>;
}

/**
 * One `@EventPattern` handler of one topic, as the pipeline sees it.
 *
 * Nest's enhancers run inside the call. What fails is judged, retried and dead-lettered by the
 * handler's policy only where `RetryDeadLetterFilter` asked for that; every other failure is tried
 * again for as long as it lasts, as Kafka would deliver it again. No filter sees what a deserializer
 * throws: `judgesReads` says whether the handler has one that would have it judged.
 */
export function bindPatternHandler(
  topic: string,
  settings: HandlerSettings,
  { parse, call }: PatternCalls,
  { judgesReads }: { readonly judgesReads: boolean },
): BoundHandler {
  const judged = new WeakMap<Error, InvocationFault>();
  const judge = (error: Error, fault: InvocationFault): void => {
    judged.set(error, fault);
  };
  const unreadable = (thrown: unknown): never => {
    const error = toError(thrown);
    if (judgesReads || error instanceof UndecodableRecordError) judge(error, 'body');
    throw error;
  };
  const read: WholeTopic['read'] = (...record) => {
    try {
      const parsed = parse(...record);
      return isPromise(parsed) ? parsed.catch(unreadable) : parsed;
    } catch (error) {
      return unreadable(error);
    }
  };
  const invoke = (payload: unknown, event: EventContext, control: CallControl): Promise<void> => {
    // What `read` answered, nothing else.
    const { message, data } = payload as ParsedRecord;
    return call(data, new KafkaEventsContext({ message, event, control, judge }));
  };
  return {
    settings,
    contracts: [],
    wholeTopic: { topic, read },
    invoke,
    faultOf: (error) => judged.get(error) ?? 'body',
    filter: (error, _payload, { givenUp }: EventContext) => {
      if (judged.has(error)) return null;
      // Where no filter of ours is, Nest has made one and the same error of whatever was thrown.
      return givenUp === null
        ? EventOutcome.keepTrying()
        : EventOutcome.deadLetter(givenUp.message);
    },
  };
}
