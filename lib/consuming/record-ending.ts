import type { ConsumedRecord } from './consumed-record.js';

/** How a record, or one handler's part of it, ended. All but `abandoned` settle the record. */
export type RecordOutcome =
  | 'handled'
  | 'duplicate'
  | 'dead-lettered'
  /** Acknowledged in a retry topic. */
  | 'parked'
  | 'not-ours'
  | 'tombstone'
  /** The partition was lost, or the process stops: the record is delivered again, elsewhere. */
  | 'abandoned';

/** Who is told how a record ended: once, by either of these, which do not throw. */
export interface RecordEnding {
  ended(record: ConsumedRecord, outcome: RecordOutcome): void;
  /** A defect: nobody knows how far it came, so it must not settle. */
  faulted(record: ConsumedRecord, error: unknown): void;
}

/** From the lightest to the gravest, which names the record's. */
const GRAVITY: readonly RecordOutcome[] = [
  'duplicate',
  'handled',
  'parked',
  'dead-lettered',
  'abandoned',
];

/** The ending of a record that several handlers take: it ends when all have come to an end. */
export class SharedEnding implements RecordEnding {
  #gravest = 0;

  constructor(
    private handlers: number,
    private readonly ending: RecordEnding,
  ) {}

  ended(record: ConsumedRecord, outcome: RecordOutcome): void {
    this.#gravest = Math.max(this.#gravest, GRAVITY.indexOf(outcome));
    if (--this.handlers > 0) return;
    this.ending.ended(record, GRAVITY[this.#gravest] ?? outcome);
  }

  faulted(record: ConsumedRecord, error: unknown): void {
    this.ending.faulted(record, error);
  }
}
