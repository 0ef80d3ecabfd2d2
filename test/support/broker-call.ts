import type { RequestCall } from '../../lib/testing/embedded-kafka/broker-request.js';
import { openSession } from '../../lib/testing/embedded-kafka/server/session.js';
import { Cluster } from '../../lib/testing/embedded-kafka/state/cluster.js';
import { ManualClock } from './manual-clock.js';

/** The state of an embedded Kafka without its servers; its clock stands still. */
export function idleCluster(brokers = 1): Cluster {
  return new Cluster({
    brokers,
    clock: new ManualClock(),
    defaultPartitions: 1,
    autoCreateTopics: false,
    groupInitialRebalanceDelayMs: 0,
    groupMinSessionTimeoutMs: 1,
    groupMaxSessionTimeoutMs: 600_000,
  });
}

/** A request to broker 0, for tests that ask a handler itself. */
export function callTo(
  cluster: Cluster,
  signal: AbortSignal = new AbortController().signal,
): RequestCall {
  return {
    cluster,
    nodeId: 0,
    listener: 'plain',
    clientId: null,
    clientHost: '127.0.0.1',
    apiVersion: 0,
    session: openSession(null),
    signal,
  };
}
