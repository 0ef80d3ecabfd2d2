import { partitionName, type TopicPartition } from '../kafka/records.js';
import type { KafkaEventsObserver, RecordRef, Signals } from './observer.js';
import type { StallReason } from './stall-reason.js';

/** A store that has failed since then may still be away. */
const STORE_MS = 30_000;
/** Of one partition, that are remembered. */
const MAX_RECORDS = 1_000;

/**
 * The observer that remembers what went wrong with records that have not ended: the reason for a
 * stall, should one come of it. Records that go well cost nothing here.
 */
export class RecordTroubles implements KafkaEventsObserver {
  readonly #byPartition = new Map<string, Map<bigint, StallReason>>();
  readonly #storeFailedAt = new Map<string, number>();

  /** @param now as `Clock.now`. */
  constructor(private readonly now: () => number) {}

  onAttemptFailed(signal: Signals['attemptFailed']): void {
    this.#note(signal, 'retry');
  }
  onLeaseWait(signal: Signals['leaseWait']): void {
    this.#note(signal, 'lease');
  }
  onDeadLetterFailed(signal: Signals['deadLetterFailed']): void {
    this.#note(signal, 'dead-letter');
  }
  onUndeliverable(signal: Signals['undeliverable']): void {
    this.#note(signal, 'dead-letter');
  }
  onEngineFault(signal: Signals['engineFault']): void {
    this.#note(signal, 'defect');
  }
  onStoreFailed({ groupId }: Signals['storeFailed']): void {
    this.#storeFailedAt.set(groupId, this.now());
  }

  /** The last trouble of that record; null when it had none. */
  of(record: RecordRef): StallReason | null {
    const own = this.#byPartition.get(nameOf(record))?.get(record.offset);
    if (own === 'defect') return own;
    const storeFailedAt = this.#storeFailedAt.get(record.groupId) ?? -Infinity;
    return this.now() - storeFailedAt < STORE_MS ? 'store' : (own ?? null);
  }

  /** Forgets the records that have ended; answers of a partition where those begin that have not. */
  forgetEnded(oldestOf: (partition: string) => bigint | null): void {
    for (const [partition, troubles] of this.#byPartition) {
      const oldest = oldestOf(partition);
      for (const offset of troubles.keys()) {
        if (oldest === null || offset < oldest) troubles.delete(offset);
      }
      if (troubles.size === 0) this.#byPartition.delete(partition);
    }
  }

  #note(record: RecordRef, reason: StallReason): void {
    const name = nameOf(record);
    const troubles = this.#byPartition.get(name) ?? new Map<bigint, StallReason>();
    this.#byPartition.set(name, troubles);
    // Beyond that, what failed first is what others wait for.
    if (troubles.size < MAX_RECORDS || troubles.has(record.offset)) {
      troubles.set(record.offset, reason);
    }
  }
}

/** A partition in a group, as `forgetEnded` calls it. */
export function nameOf(partition: TopicPartition & { readonly groupId: string }): string {
  return `${partition.groupId} ${partitionName(partition)}`;
}
