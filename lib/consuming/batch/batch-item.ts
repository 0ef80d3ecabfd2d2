import { ConsumedEvent, type EventDelivery } from '../consumed-event.js';

/** One event of an `EventBatch`: its payload, and what an `EventContext` tells of it. */
export class BatchItem<T = unknown> extends ConsumedEvent {
  /** @internal Made by the batch. */
  constructor(
    delivery: EventDelivery,
    /** Its place in the batch, by which `retry`, `deadLetter` and `settle` of the batch know it. */
    readonly index: number,
    readonly payload: T,
  ) {
    super(delivery);
  }
}
