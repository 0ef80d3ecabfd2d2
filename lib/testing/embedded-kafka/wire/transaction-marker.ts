import { RecordBatch, type ProducerIdentity } from './record-batch.js';

const ATTRIBUTES = 0x30; // transactional, control
const COMMIT = 1;
const ABORT = 0;
/** Where the marker's type is in its record: length, attributes, two deltas, key length, version. */
const TYPE_AT = 7;

/** The control batch that ends a producer's transaction in one partition. */
export function transactionMarker(
  { producerId, producerEpoch }: ProducerIdentity,
  committed: boolean,
  timestamp: bigint,
): RecordBatch {
  const header = { recordCount: 1, baseTimestamp: timestamp, maxTimestamp: timestamp };
  return RecordBatch.of(
    { ...header, attributes: ATTRIBUTES, producerId, producerEpoch, baseSequence: -1 },
    markerRecord(committed ? COMMIT : ABORT),
  );
}

/** Whether a control batch commits its producer's transaction. */
export function commits(marker: RecordBatch): boolean {
  return marker.records.readInt16BE(TYPE_AT) === COMMIT;
}

/** Lengths are zigzag varints, of one byte each here. */
function markerRecord(type: number): Buffer {
  const record = Buffer.alloc(17);
  record.writeInt8(16 << 1, 0); // bytes that follow
  record.writeInt8(4 << 1, 4); // key: version (0), type
  record.writeInt16BE(type, TYPE_AT);
  record.writeInt8(6 << 1, 9); // value: version (0), coordinator's epoch (0)
  return record;
}
