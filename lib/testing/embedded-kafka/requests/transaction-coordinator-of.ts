import type { RequestCall } from '../broker-request.js';
import type { TransactionCoordinator } from '../state/transaction-coordinator.js';
import { KafkaProtocolError } from '../wire/kafka-error.js';

/** @throws KafkaProtocolError NOT_COORDINATOR when another broker coordinates that id. */
export function transactionCoordinatorOf(
  { cluster, nodeId }: RequestCall,
  transactionalId: string,
): TransactionCoordinator {
  if (cluster.coordinatorOf('transaction', transactionalId) !== nodeId) {
    throw new KafkaProtocolError('NOT_COORDINATOR');
  }
  return cluster.transactions;
}
