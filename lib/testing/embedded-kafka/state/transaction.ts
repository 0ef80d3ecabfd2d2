import { KafkaProtocolError } from '../wire/kafka-error.js';
import type { ProducerIdentity } from '../wire/record-batch.js';

/**
 * How a transactional id moves: from Empty to Ongoing, from there to one of the Complete ones, and
 * from each of them to Ongoing again. Kafka's states in between, PrepareCommit and PrepareAbort,
 * last while distant brokers are told; here that takes no time.
 */
export type TransactionState = 'Empty' | 'Ongoing' | 'CompleteCommit' | 'CompleteAbort';

/** Where a transaction has written. */
export interface TransactionPartition {
  readonly topic: string;
  readonly partition: number;
}

/** A transactional id, its producer of the moment and what the transaction touches. */
export class Transaction {
  #state: TransactionState = 'Empty';
  readonly #partitions = new Map<string, TransactionPartition>();
  readonly #groups = new Set<string>();

  constructor(
    readonly transactionalId: string,
    public producer: ProducerIdentity,
    public timeoutMs: number,
  ) {}

  get state(): TransactionState {
    return this.#state;
  }

  get partitions(): readonly TransactionPartition[] {
    return [...this.#partitions.values()];
  }

  /** Groups whose offsets are part of it. */
  get groups(): readonly string[] {
    return [...this.#groups];
  }

  hasPartition({ topic, partition }: TransactionPartition): boolean {
    return this.#partitions.has(keyOf(topic, partition));
  }

  hasGroup(groupId: string): boolean {
    return this.#groups.has(groupId);
  }

  /** Starts it where none is open; tells whether it did. */
  begin(): boolean {
    if (this.#state === 'Ongoing') return false;
    this.#state = 'Ongoing';
    return true;
  }

  add({ topic, partition }: TransactionPartition): void {
    this.#partitions.set(keyOf(topic, partition), { topic, partition });
  }

  addGroup(groupId: string): void {
    this.#groups.add(groupId);
  }

  complete(committed: boolean): void {
    this.#state = committed ? 'CompleteCommit' : 'CompleteAbort';
    this.#partitions.clear();
    this.#groups.clear();
  }

  /**
   * Whether it has ended already, in this way.
   *
   * @throws KafkaProtocolError INVALID_TXN_STATE when there is none to end, or it ended otherwise.
   */
  hasEnded(committed: boolean): boolean {
    if (this.#state === 'Ongoing') return false;
    if (this.#state === (committed ? 'CompleteCommit' : 'CompleteAbort')) return true;
    throw new KafkaProtocolError('INVALID_TXN_STATE', this.#state);
  }
}

function keyOf(topic: string, partition: number): string {
  return `${topic}:${String(partition)}`;
}
