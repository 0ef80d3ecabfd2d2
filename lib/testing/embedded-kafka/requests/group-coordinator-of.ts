import type { RequestCall } from '../broker-request.js';
import type { GroupCoordinator } from '../state/group-coordinator.js';
import { KafkaProtocolError } from '../wire/kafka-error.js';

/** @throws KafkaProtocolError NOT_COORDINATOR when another broker coordinates that group. */
export function groupCoordinatorOf(
  { cluster, nodeId }: RequestCall,
  groupId: string,
): GroupCoordinator {
  if (cluster.coordinatorOf('group', groupId) !== nodeId) {
    throw new KafkaProtocolError('NOT_COORDINATOR', groupId);
  }
  return cluster.groups;
}
