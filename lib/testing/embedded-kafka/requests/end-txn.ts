import { brokerRequest } from '../broker-request.js';
import type { TransactionalProducer } from '../state/transaction-coordinator.js';
import { KafkaErrorCode } from '../wire/kafka-error.js';
import { readTransactionalProducer } from './read-transactional-producer.js';
import { transactionCoordinatorOf } from './transaction-coordinator-of.js';

export interface EndTxnRequest extends TransactionalProducer {
  /** False aborts it. */
  readonly committed: boolean;
}

export interface EndTxnResponse {
  readonly errorCode: number;
}

/** Commits or aborts a transaction. */
export const endTxn = brokerRequest<EndTxnRequest, EndTxnResponse>({
  key: 26,
  minVersion: 0,
  maxVersion: 1,

  read: (reader) => ({ ...readTransactionalProducer(reader), committed: reader.boolean() }),

  write(writer, { errorCode }) {
    const throttleTimeMs = 0;
    writer.int32(throttleTimeMs).int16(errorCode);
  },

  handle(request, call) {
    transactionCoordinatorOf(call, request.transactionalId).end(request, request.committed);
    return { errorCode: KafkaErrorCode.NONE };
  },

  refuse: (_request, errorCode) => ({ errorCode }),
});
