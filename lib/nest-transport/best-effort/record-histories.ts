import { partitionName, type TopicPartition } from '../../kafka/records.js';

/** What has become of one record so far, in this process, by handler. */
export class RecordHistory {
  /** Failed attempts. */
  readonly failures = new Map<string, number>();
  /** Who has given the record up, and has it in the dead-letter topic. */
  readonly deadLettered = new Set<string>();

  constructor(readonly offset: bigint) {}

  failuresOf(handlerId: string): number {
    return this.failures.get(handlerId) ?? 0;
  }
}

/** The history of the record that each partition is at: kafkajs goes on when all handlers are done. */
export class RecordHistories {
  readonly #latest = new Map<string, RecordHistory>();

  of(partition: TopicPartition, offset: bigint): RecordHistory {
    const name = partitionName(partition);
    const known = this.#latest.get(name);
    if (known?.offset === offset) return known;
    const history = new RecordHistory(offset);
    this.#latest.set(name, history);
    return history;
  }
}
