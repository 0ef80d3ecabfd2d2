import type { ProducerIdentity } from '../wire/record-batch.js';

/** Hands out producer ids, each once in the life of a cluster. */
export class ProducerIds {
  #next = 0n;

  /** A new id in its first epoch. */
  next(): ProducerIdentity {
    return { producerId: this.#next++, producerEpoch: 0 };
  }
}
