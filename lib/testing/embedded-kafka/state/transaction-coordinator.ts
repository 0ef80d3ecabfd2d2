import type { Clock, TimerHandle } from '../../../contracts/clock.js';
import { KafkaProtocolError } from '../wire/kafka-error.js';
import type { ProducerIdentity } from '../wire/record-batch.js';
import type { ProducerIds } from './producer-ids.js';
import { Transaction, type TransactionPartition } from './transaction.js';

const MINUTE = 60_000;
/** Kafka's `transaction.max.timeout.ms`. */
const MAX_TIMEOUT_MS = 15 * MINUTE;
/** The last epoch a producer is given; the next one keeps room for a fence. */
const LAST_EPOCH = 0x7ffe;

/** A producer that says whose transaction it speaks of. */
export interface TransactionalProducer extends ProducerIdentity {
  readonly transactionalId: string;
}

/** Those that a transaction tells how it ended. */
export interface TransactionParticipants {
  readonly clock: Clock;
  readonly producerIds: ProducerIds;
  /** Does nothing where the partition is gone. */
  endInPartition(
    partition: TransactionPartition,
    producer: ProducerIdentity,
    committed: boolean,
  ): void;
  endInGroups(producerId: bigint, committed: boolean): void;
}

/**
 * Which producer speaks for which transactional id, and how its transactions end.
 *
 * All partitions and groups are told the end in one turn of the event loop, so that no client sees a
 * transaction half ended. A producer that is not the latest of
 * its id is refused as INVALID_PRODUCER_EPOCH, the name of that error in the versions spoken here.
 *
 * @see KIP-98, KIP-360
 */
export class TransactionCoordinator {
  readonly #transactions = new Map<string, Transaction>();
  readonly #timers = new Map<string, TimerHandle>();

  constructor(private readonly participants: TransactionParticipants) {}

  /** The transactional ids that have been used. */
  get transactions(): ReadonlyMap<string, Transaction> {
    return this.#transactions;
  }

  /**
   * Makes the caller the only producer of its transactional id.
   *
   * @throws KafkaProtocolError INVALID_REQUEST, INVALID_TRANSACTION_TIMEOUT, or
   *   CONCURRENT_TRANSACTIONS when its predecessor's transaction had to be aborted first: ask again.
   */
  initProducer(transactionalId: string, timeoutMs: number): ProducerIdentity {
    if (transactionalId === '') throw new KafkaProtocolError('INVALID_REQUEST', 'an empty id');
    if (timeoutMs <= 0 || timeoutMs > MAX_TIMEOUT_MS) {
      throw new KafkaProtocolError('INVALID_TRANSACTION_TIMEOUT', String(timeoutMs));
    }
    const known = this.#transactions.get(transactionalId);
    return known === undefined
      ? this.#firstProducer(transactionalId, timeoutMs)
      : this.#nextProducer(known, timeoutMs);
  }

  /**
   * Makes partitions part of the producer's transaction, which starts with the first.
   *
   * @throws KafkaProtocolError INVALID_PRODUCER_ID_MAPPING or INVALID_PRODUCER_EPOCH.
   */
  addPartitions(
    producer: TransactionalProducer,
    partitions: readonly TransactionPartition[],
  ): void {
    const transaction = this.#open(producer);
    for (const partition of partitions) transaction.add(partition);
  }

  /** Makes a group's offsets part of the producer's transaction. @throws like `addPartitions`. */
  addGroup(producer: TransactionalProducer, groupId: string): void {
    this.#open(producer).addGroup(groupId);
  }

  /**
   * Refuses writes of a transaction to partitions that are not part of it.
   *
   * @throws KafkaProtocolError INVALID_TXN_STATE, and like `addPartitions`.
   */
  verifyPartition(producer: TransactionalProducer, partition: TransactionPartition): void {
    const transaction = this.#ownedBy(producer);
    if (!transaction.hasPartition(partition)) throw new KafkaProtocolError('INVALID_TXN_STATE');
  }

  /** The same for a group's offsets. @throws like `verifyPartition`. */
  verifyGroup(producer: TransactionalProducer, groupId: string): void {
    const transaction = this.#ownedBy(producer);
    if (!transaction.hasGroup(groupId)) throw new KafkaProtocolError('INVALID_TXN_STATE');
  }

  /**
   * Commits or aborts the producer's transaction; may be repeated.
   *
   * @throws KafkaProtocolError INVALID_TXN_STATE, and like `addPartitions`.
   */
  end(producer: TransactionalProducer, committed: boolean): void {
    const transaction = this.#ownedBy(producer);
    if (!transaction.hasEnded(committed)) this.#finish(transaction, committed);
  }

  #firstProducer(transactionalId: string, timeoutMs: number): ProducerIdentity {
    const producer = this.participants.producerIds.next();
    this.#transactions.set(transactionalId, new Transaction(transactionalId, producer, timeoutMs));
    return producer;
  }

  #nextProducer(transaction: Transaction, timeoutMs: number): ProducerIdentity {
    if (transaction.state === 'Ongoing') {
      this.#fenceAndAbort(transaction);
      throw new KafkaProtocolError('CONCURRENT_TRANSACTIONS');
    }
    transaction.timeoutMs = timeoutMs;
    transaction.producer =
      transaction.producer.producerEpoch < LAST_EPOCH
        ? inNextEpoch(transaction.producer)
        : this.participants.producerIds.next();
    return transaction.producer;
  }

  #ownedBy({ transactionalId, producerId, producerEpoch }: TransactionalProducer): Transaction {
    const transaction = this.#transactions.get(transactionalId);
    if (transaction?.producer.producerId !== producerId) {
      throw new KafkaProtocolError('INVALID_PRODUCER_ID_MAPPING');
    }
    if (transaction.producer.producerEpoch !== producerEpoch) {
      throw new KafkaProtocolError('INVALID_PRODUCER_EPOCH');
    }
    return transaction;
  }

  #open(producer: TransactionalProducer): Transaction {
    const transaction = this.#ownedBy(producer);
    if (transaction.begin()) this.#limitTime(transaction);
    return transaction;
  }

  #limitTime(transaction: Transaction): void {
    const { transactionalId, timeoutMs } = transaction;
    const timer = this.participants.clock.setTimeout(() => {
      this.#fenceAndAbort(transaction);
    }, timeoutMs);
    this.#timers.set(transactionalId, timer);
  }

  /** The next epoch is written with the markers, so that nothing late can follow them. */
  #fenceAndAbort(transaction: Transaction): void {
    transaction.producer = inNextEpoch(transaction.producer);
    this.#finish(transaction, false);
  }

  #finish(transaction: Transaction, committed: boolean): void {
    const { transactionalId, producer, partitions, groups } = transaction;
    const timer = this.#timers.get(transactionalId);
    if (timer !== undefined) this.participants.clock.clearTimeout(timer);
    this.#timers.delete(transactionalId);
    for (const partition of partitions) {
      this.participants.endInPartition(partition, producer, committed);
    }
    if (groups.length > 0) this.participants.endInGroups(producer.producerId, committed);
    transaction.complete(committed);
  }
}

function inNextEpoch({ producerId, producerEpoch }: ProducerIdentity): ProducerIdentity {
  return { producerId, producerEpoch: producerEpoch + 1 };
}
