/** Bytes of records in one request: below a broker's default `message.max.bytes`. */
const MAX_REQUEST_BYTES = 2 ** 20;

/**
 * How much one request may carry.
 *
 * A broker refuses whole batches for one record's fault. The limit is halved with each such
 * refusal, down to the one record at fault, and grows again with each success.
 */
export class BatchLimit {
  #records: number;

  constructor(private readonly maxRecords: number) {
    this.#records = maxRecords;
  }

  /** How many from the front of the queue go into the next request: one at least, if there is one. */
  fit(queue: readonly { readonly bytes: number }[]): number {
    let count = 0;
    let bytes = 0;
    for (const next of queue) {
      bytes += next.bytes;
      if (count > 0 && (bytes > MAX_REQUEST_BYTES || count === this.#records)) break;
      count++;
    }
    return count;
  }

  /** A request of `count` records was refused for its content. */
  refused(count: number): void {
    this.#records = Math.max(1, Math.floor(count / 2));
  }

  accepted(): void {
    this.#records = Math.min(this.maxRecords, this.#records + Math.ceil(this.#records / 16));
  }
}
