import { KafkaContext } from '@nestjs/microservices';

import type { EventContext } from '../consuming/event-context.js';
import type { CallControl } from '../consuming/event-handler.js';
import type { MaybePromise } from '../contracts/maybe-promise.js';
import type { InvocationFault } from '../failure/retry-policy.js';
import { NotHereError } from '../kafka-events.errors.js';
import type { NestKafkaMessage } from './kafka-message.js';

type Consumer = ReturnType<KafkaContext['getConsumer']>;
type Producer = ReturnType<KafkaContext['getProducer']>;

/** What a context needs of the call it is made for. */
export interface PatternCall {
  readonly message: NestKafkaMessage;
  readonly event: EventContext;
  readonly control: CallControl;
  /** Has the failure judged by the retry policy, which may dead-letter the record. */
  readonly judge: (error: Error, fault: InvocationFault) => void;
}

/**
 * What `@Ctx()` is in an `@EventPattern` handler behind `KafkaEventsServer`: Nest's `KafkaContext`,
 * with the event beside it.
 *
 * There is no kafkajs consumer or producer to hand out: using what `getConsumer()` and
 * `getProducer()` answer throws a NotHereError that says what to use instead.
 */
export class KafkaEventsContext extends KafkaContext {
  readonly #call: PatternCall;

  /** @internal Made by `KafkaEventsServer`, one for each handler of a record. */
  constructor(call: PatternCall) {
    const { message, event } = call;
    super([message, event.partition, event.topic, CONSUMER, heartbeat, PRODUCER]);
    this.#call = call;
  }

  /** Ids, headers as bytes, attempt, abort signal, `deadLetter` and `publish`, as `@EventHandler` has it. */
  get event(): EventContext {
    return this.#call.event;
  }

  /** @internal */
  claim(): MaybePromise<boolean> {
    return this.#call.control.claim();
  }

  /** @internal */
  judge(error: Error, fault: InvocationFault): void {
    this.#call.judge(error, fault);
  }
}

/** Membership does not depend on handlers: a slow one loses nothing. */
function heartbeat(): Promise<void> {
  return Promise.resolve();
}

const CONSUMER: Consumer = absent(
  'KafkaEventsServer commits offsets itself, and pauses partitions by itself; there is no consumer to use',
);
const PRODUCER: Producer = absent(
  'inject EventPublisher, or publish with context.event.publish(…)',
);

/** Stands where Nest has an object that we do not have; any use of it is refused. */
function absent(instead: string): never {
  return new Proxy(
    {},
    {
      get(_target, name) {
        // A promise may resolve to it, and a debugger or logger may look at it.
        if (typeof name === 'symbol' || name === 'then' || name === 'toJSON') return undefined;
        throw new NotHereError(`.${name} is not available here: ${instead}`);
      },
    },
  ) as never;
}
