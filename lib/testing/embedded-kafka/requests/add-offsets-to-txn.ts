import { brokerRequest } from '../broker-request.js';
import type { TransactionalProducer } from '../state/transaction-coordinator.js';
import { KafkaErrorCode } from '../wire/kafka-error.js';
import { readTransactionalProducer } from './read-transactional-producer.js';
import { transactionCoordinatorOf } from './transaction-coordinator-of.js';

export interface AddOffsetsToTxnRequest extends TransactionalProducer {
  readonly groupId: string;
}

export interface AddOffsetsToTxnResponse {
  readonly errorCode: number;
}

/** Makes the offsets of a group part of a transaction. */
export const addOffsetsToTxn = brokerRequest<AddOffsetsToTxnRequest, AddOffsetsToTxnResponse>({
  key: 25,
  minVersion: 0,
  maxVersion: 1,

  read: (reader) => ({ ...readTransactionalProducer(reader), groupId: reader.string() }),

  write(writer, { errorCode }) {
    const throttleTimeMs = 0;
    writer.int32(throttleTimeMs).int16(errorCode);
  },

  handle(request, call) {
    const coordinator = transactionCoordinatorOf(call, request.transactionalId);
    coordinator.addGroup(request, request.groupId);
    return { errorCode: KafkaErrorCode.NONE };
  },

  refuse: (_request, errorCode) => ({ errorCode }),
});
