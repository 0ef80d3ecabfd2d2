import { KafkaProtocolError } from '../wire/kafka-error.js';
import type { RecordBatch } from '../wire/record-batch.js';
import { commits } from '../wire/transaction-marker.js';

/** How many batches back a repeated one is recognised, as in Kafka. */
const REMEMBERED_BATCHES = 5;
/** Kafka forgets a producer a day after its last batch; here, so many others come and go. */
const REMEMBERED_PRODUCERS = 256;
const MAX_SEQUENCE = 0x7fffffff;

/** What is remembered of a batch, which itself may be deleted long before its producer is gone. */
interface RememberedBatch extends StoredBatch {
  readonly baseSequence: number;
  readonly lastSequence: number;
}

interface ProducerState {
  readonly epoch: number;
  /** The last ones of this epoch, oldest first. */
  batches: readonly RememberedBatch[];
}

/** Where a batch is in the log. */
export interface StoredBatch {
  readonly baseOffset: bigint;
  /** -1 where the records keep their producer's time. */
  readonly logAppendTime: bigint;
}

/** Records of a transaction that readers of committed records must skip. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
  /** That of its abort marker. */
  readonly lastOffset: bigint;
}

/**
 * What one partition knows of the producers that wrote to it: the sequences that make a repeated
 * batch harmless, and the transactions that are open or were aborted.
 *
 * @see KIP-98, KIP-360
 */
export class ProducerStates {
  /** By producer id; whoever wrote last comes last. */
  readonly #states = new Map<bigint, ProducerState>();
  /** First offset by producer id; in the order of those offsets, since logs only grow. */
  readonly #openTransactions = new Map<bigint, bigint>();
  #aborted: AbortedTransaction[] = [];

  /** Where the oldest open transaction begins. */
  get firstOpenOffset(): bigint | undefined {
    return this.#openTransactions.values().next().value;
  }

  /** The stored batch that this one repeats. */
  duplicateOf(batch: RecordBatch): StoredBatch | undefined {
    const state = this.#states.get(batch.producerId);
    if (state?.epoch !== batch.producerEpoch) return undefined;
    return state.batches.find(
      (stored) =>
        stored.baseSequence === batch.baseSequence && stored.lastSequence === batch.lastSequence,
    );
  }

  /**
   * Refuses a batch that does not follow its producer's last one. A producer unknown here may start
   * with any sequence: its batches may have been deleted.
   *
   * @throws KafkaProtocolError INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER or
   *   INVALID_TXN_STATE.
   */
  check(batch: RecordBatch): void {
    const state = this.#states.get(batch.producerId);
    if (state === undefined) return;
    if (batch.producerEpoch < state.epoch) throw new KafkaProtocolError('INVALID_PRODUCER_EPOCH');
    const expected = batch.producerEpoch > state.epoch ? 0 : nextSequence(state);
    if (batch.baseSequence !== expected) {
      throw new KafkaProtocolError(
        'OUT_OF_ORDER_SEQUENCE_NUMBER',
        `${String(batch.baseSequence)} where ${String(expected)} follows`,
      );
    }
    if (this.#openTransactions.has(batch.producerId) && !batch.isTransactional) {
      throw new KafkaProtocolError('INVALID_TXN_STATE', 'its transaction is still open');
    }
  }

  /** Takes note of a batch that is in the log now. */
  appended(batch: RecordBatch): void {
    if (batch.producerId < 0n) return;
    const state = this.#stateIn(batch);
    if (batch.isControl) {
      this.#endTransaction(batch);
      return;
    }
    const { baseSequence, lastSequence, baseOffset, logAppendTime } = batch;
    const remembered = { baseSequence, lastSequence, baseOffset, logAppendTime };
    state.batches = [...state.batches, remembered].slice(-REMEMBERED_BATCHES);
    if (batch.isTransactional && !this.#openTransactions.has(batch.producerId)) {
      this.#openTransactions.set(batch.producerId, batch.baseOffset);
    }
  }

  /** The aborted transactions with records at `from` or later, but before `end`. */
  abortedBetween(from: bigint, end: bigint): AbortedTransaction[] {
    return this.#aborted.filter(
      ({ firstOffset, lastOffset }) => lastOffset >= from && firstOffset < end,
    );
  }

  /** Forgets the aborted transactions that end before an offset. */
  deletedBefore(offset: bigint): void {
    this.#aborted = this.#aborted.filter(({ lastOffset }) => lastOffset >= offset);
  }

  #stateIn({ producerId, producerEpoch }: RecordBatch): ProducerState {
    const known = this.#states.get(producerId);
    const state: ProducerState =
      known?.epoch === producerEpoch ? known : { epoch: producerEpoch, batches: [] };
    this.#states.delete(producerId);
    this.#states.set(producerId, state);
    const [longestSilent] = this.#states.keys();
    if (this.#states.size > REMEMBERED_PRODUCERS && longestSilent !== undefined) {
      this.#states.delete(longestSilent);
    }
    return state;
  }

  #endTransaction(marker: RecordBatch): void {
    const { producerId, baseOffset: lastOffset } = marker;
    const firstOffset = this.#openTransactions.get(producerId);
    if (firstOffset === undefined) return;
    this.#openTransactions.delete(producerId);
    if (!commits(marker)) this.#aborted.push({ producerId, firstOffset, lastOffset });
  }
}

function nextSequence({ batches }: ProducerState): number {
  const last = batches.at(-1);
  return last === undefined ? 0 : (last.lastSequence + 1) & MAX_SEQUENCE;
}
