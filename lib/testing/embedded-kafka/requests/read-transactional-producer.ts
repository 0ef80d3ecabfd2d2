import type { TransactionalProducer } from '../state/transaction-coordinator.js';
import type { WireReader } from '../wire/wire-reader.js';

/** The three fields with which most requests of a transaction begin. */
export function readTransactionalProducer(reader: WireReader): TransactionalProducer {
  return {
    transactionalId: reader.string(),
    producerId: reader.int64(),
    producerEpoch: reader.int16(),
  };
}
