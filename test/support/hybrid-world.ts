import { z } from 'zod';

import type { DirectRecord } from '../../lib/consuming/direct/direct-record.js';
import type { DirectReceipt } from '../../lib/consuming/direct/direct-reply.js';
import type { DirectLimits } from '../../lib/consuming/direct/direct-transport.js';
import { contractOf } from '../../lib/contracts/event-source.js';
import { defineEvent } from '../../lib/contracts/define-event.js';
import { DurablePublisher } from '../../lib/hybrid/durable-publisher.js';
import {
  PublishDeadlineError,
  StoreUnavailableError,
  type DirectDeliveryError,
} from '../../lib/kafka-events.errors.js';
import { EventEncoder, type EncodedEvent } from '../../lib/publishing/event-encoder.js';
import { ManualClock } from './manual-clock.js';

export const Placed = defineEvent({
  type: 'order.placed',
  version: 1,
  topic: 'orders',
  key: ({ orderId }) => orderId,
  schema: z.object({ orderId: z.string(), n: z.number() }),
});

export const RECEIPT: DirectReceipt = {
  handlers: [{ groupId: 'g', handlerId: 'h', outcome: 'handled', error: null }],
};

/** A broker, an outbox with its relay, and a direct target, each there or away as the test says. */
export class World {
  readonly clock = new ManualClock();
  /** In the order in which the broker took them. */
  readonly log: EncodedEvent[] = [];
  readonly outboxed: EncodedEvent[] = [];
  readonly delivered: DirectRecord[] = [];
  readonly limits: (DirectLimits | undefined)[] = [];
  broker: 'up' | 'away' | 'held' = 'up';
  outboxIs: 'up' | 'away' | 'none' = 'up';
  refuses: Error | null = null;
  target: DirectDeliveryError | null = null;
  publishes = 0;
  asked = 0;
  readonly held: (() => void)[] = [];
  #ids = 0;

  readonly #encoder = new EventEncoder({
    topicName: (topic) => topic,
    maxRecordBytes: 1_000,
    defaultDeadlineMs: 500,
    clock: this.clock,
    newEventId: () => `e${String(this.#ids++)}`,
  });

  /** A process: what it knows by itself is forgotten with it. */
  process(): DurablePublisher {
    return new DurablePublisher({
      clock: this.clock,
      publisher: {
        prepare: (source, payload, options) => {
          const contract = contractOf(source);
          const identity = this.#encoder.identify(contract, options);
          return this.#encoder.encode(identity, contract, payload, options);
        },
        deliver: (event) => this.#take(event),
      },
      outbox: this.outbox(),
      targets: new Map([
        [
          'fulfilment',
          {
            name: 'test',
            close: () => undefined,
            deliver: (record, limits) => {
              this.limits.push(limits);
              if (this.target !== null) return Promise.reject(this.target);
              this.delivered.push(record);
              return Promise.resolve(RECEIPT);
            },
          },
        ],
      ]),
    });
  }

  /** The relay publishes the oldest, up to that many, if the broker is there. */
  relay(most = Infinity): void {
    if (this.broker !== 'up') return;
    this.log.push(...this.outboxed.splice(0, most));
  }

  ids(events: readonly EncodedEvent[] = this.log): string[] {
    return events.map(({ identity }) => identity.eventId);
  }

  async #take(
    event: EncodedEvent,
  ): Promise<{ offset: null; partition: 0 } & EncodedEvent['identity']> {
    this.publishes++;
    await Promise.resolve();
    if (this.refuses !== null) throw this.refuses;
    if (this.broker === 'held') await new Promise<void>((resolve) => this.held.push(resolve));
    if (this.broker === 'away') throw new PublishDeadlineError(event.identity, event.deadlineMs);
    this.log.push(event);
    return { ...event.identity, offset: null, partition: 0 };
  }

  /** As it is now. */
  outbox() {
    const up = async (): Promise<void> => {
      await Promise.resolve();
      if (this.outboxIs === 'away') throw new StoreUnavailableError('database away');
    };
    return {
      isConfigured: this.outboxIs !== 'none',
      storeEncoded: async (event: EncodedEvent) => {
        await up();
        this.outboxed.push(event);
      },
      holds: async (topic: string, key: Buffer) => {
        this.asked++;
        await up();
        return this.outboxed.some(
          ({ identity, record }) => identity.topic === topic && record.key?.equals(key) === true,
        );
      },
      isEmpty: async () => {
        await up();
        return this.outboxed.length === 0;
      },
    };
  }
}
