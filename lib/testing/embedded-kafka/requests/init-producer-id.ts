import { brokerRequest, type RequestCall } from '../broker-request.js';
import { KafkaErrorCode } from '../wire/kafka-error.js';
import type { ProducerIdentity } from '../wire/record-batch.js';
import { transactionCoordinatorOf } from './transaction-coordinator-of.js';

export interface InitProducerIdRequest {
  /** Null for a producer that is idempotent but not transactional. */
  readonly transactionalId: string | null;
  readonly transactionTimeoutMs: number;
}

export interface InitProducerIdResponse extends ProducerIdentity {
  readonly errorCode: number;
}

/** Gives a producer its id, and fences its predecessor of the same transactional id. */
export const initProducerId = brokerRequest<InitProducerIdRequest, InitProducerIdResponse>({
  key: 22,
  minVersion: 0,
  maxVersion: 1,

  read: (reader) => ({
    transactionalId: reader.nullableString(),
    transactionTimeoutMs: reader.int32(),
  }),

  write(writer, { errorCode, producerId, producerEpoch }) {
    const throttleTimeMs = 0;
    writer.int32(throttleTimeMs).int16(errorCode).int64(producerId).int16(producerEpoch);
  },

  handle: (request, call) => ({
    errorCode: KafkaErrorCode.NONE,
    ...identify(request, call),
  }),

  refuse: (_request, errorCode) => ({ errorCode, producerId: -1n, producerEpoch: -1 }),
});

function identify(
  { transactionalId, transactionTimeoutMs }: InitProducerIdRequest,
  call: RequestCall,
): ProducerIdentity {
  if (transactionalId === null) return call.cluster.producerIds.next();
  const coordinator = transactionCoordinatorOf(call, transactionalId);
  return coordinator.initProducer(transactionalId, transactionTimeoutMs);
}
