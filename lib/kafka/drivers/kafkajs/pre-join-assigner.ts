import type { Assigner, Broker, Cluster, PartitionAssigner } from 'kafkajs';
import { withinMs } from '../../../contracts/within.js';
import { AbsentBrokers, type AbsenceOwner } from './absent-brokers.js';
import type { FetchAnswer } from './fetch-gate.js';
import type { FetchRequest } from './partial-fetch.js';
import { isConnectionLost, isRequestTimeout } from './kafkajs-errors.js';
import { observeMetadata } from './observe-metadata.js';
import type { PartialMetadata } from './partial-metadata.js';
import { stickyAssigners, type PastAssignment } from './sticky-assigner.js';

/** What a broker answers to a member that joins. */
export interface JoinAnswer {
  readonly generationId: number;
  readonly memberId: string;
}

/** Told what kafkajs keeps to itself about its membership. None of these may throw or reject. */
export interface MembershipObserver extends AbsenceOwner {
  /** Nothing is to be fetched any more. */
  readonly isOver: boolean;
  /** What we had last, for whoever leads the group. */
  readonly had: PastAssignment;
  /** Awaited before every join, the first included. */
  beforeJoin(): Promise<void>;
  /** The group has a new generation; the assignment follows with the event `GROUP_JOIN`. */
  joined(answer: JoinAnswer, coordinator: Broker): void;
  /** A step of a join failed; answers what kafkajs is to be told. */
  joinFailed(error: unknown): unknown;
  /** The partitions are about to be given up. */
  leaving(): void;
  /** A fetch from a broker, to be sent or to be answered in its place. */
  fetch(
    nodeId: string,
    request: FetchRequest,
    send: (request: FetchRequest) => Promise<FetchAnswer>,
  ): Promise<FetchAnswer>;
  /** We lead the group and assign partitions to so many members. */
  members(count: number): void;
  /** What the brokers say of topics and their leaders. */
  readonly metadata: PartialMetadata;
}

/**
 * The assigners of a consumer, see `stickyAssigners`; and a way in.
 *
 * kafkajs has no rebalance listener: it announces a rebalance after the fact, awaits nobody, and on
 * three of its paths says nothing. But an assigner is given the consumer's own cluster, and every
 * join begins by asking that cluster for the group's coordinator.
 */
export function preJoinAssigners(observer: MembershipObserver): PartitionAssigner[] {
  let made: Assigner[] | undefined;
  const assignersOf = (cluster: Cluster): Assigner[] => {
    if (made !== undefined) return made;
    observeCluster(cluster, observer);
    return stickyAssigners(
      cluster,
      () => observer.had,
      (count) => {
        observer.members(count);
      },
    );
  };
  // kafkajs asks each for itself, with one and the same cluster.
  return [0, 1].map((nth) => ({ cluster }) => {
    made = assignersOf(cluster);
    const assigner = made[nth];
    if (assigner === undefined) throw new RangeError('a protocol is missing');
    return assigner;
  });
}

/** A broker that does not answer must not cost us our place in the group. */
const LOOK_MS = 1000;

function observeCluster(cluster: Cluster, observer: MembershipObserver): void {
  stopFetchersFor(cluster, observer);
  observeMetadata(cluster, observer.metadata, new AbsentBrokers(cluster, observer));
  const findGroupCoordinator = cluster.findGroupCoordinator.bind(cluster);
  const findBroker = cluster.findBroker.bind(cluster);
  const observed = new WeakSet<Broker>();

  cluster.findGroupCoordinator = async (group) => {
    await observer.beforeJoin();
    // All members look before they join: else each would find new partitions, and join for them, by itself.
    await withinMs(cluster.refreshMetadata(), LOOK_MS);
    return findGroupCoordinator(group);
  };
  // Also how the cluster itself gets at the coordinator.
  cluster.findBroker = async (node) => {
    const broker = await findBroker(node);
    if (!observed.has(broker)) {
      observed.add(broker);
      observeFetches(broker, node.nodeId, observer);
      observeMembership(broker, observer);
    }
    return broker;
  };
}

/**
 * Where brokers come or go while a consumer stops, kafkajs makes new fetchers that nobody stops: they
 * fetch nothing, for ever, in one turn of the event loop. With no brokers to fetch from it gives up.
 */
function stopFetchersFor(cluster: Cluster, observer: MembershipObserver): void {
  const getNodeIds = cluster.getNodeIds.bind(cluster);
  cluster.getNodeIds = () => (observer.isOver ? [] : getNodeIds());
}

// kafkajs types the id as text, but looks for the coordinator with a number.
function observeFetches(
  broker: Broker,
  nodeId: string | number,
  observer: MembershipObserver,
): void {
  const fetch = broker.fetch.bind(broker);
  broker.fetch = (request) =>
    observer.fetch(String(nodeId), request, async (sent) => {
      try {
        return (await fetch(sent)) as FetchAnswer;
      } catch (error) {
        // The connection may be dead without anybody having been told: kafkajs would stay with it for ever.
        if (isRequestTimeout(error)) await broker.disconnect();
        throw error;
      }
    });
}

/** The part of kafkajs's broker that its types leave out. */
interface Coordinator extends Broker {
  heartbeat(request: unknown): Promise<unknown>;
  joinGroup(request: unknown): Promise<JoinAnswer>;
  syncGroup(request: unknown): Promise<unknown>;
  leaveGroup(request: unknown): Promise<unknown>;
}

function isCoordinator(broker: Broker): broker is Coordinator {
  return (
    'heartbeat' in broker &&
    typeof broker.heartbeat === 'function' &&
    'joinGroup' in broker &&
    typeof broker.joinGroup === 'function' &&
    'syncGroup' in broker &&
    typeof broker.syncGroup === 'function' &&
    'leaveGroup' in broker &&
    typeof broker.leaveGroup === 'function'
  );
}

function observeMembership(broker: Broker, observer: MembershipObserver): void {
  if (!isCoordinator(broker)) throw new TypeError('kafkajs 2.2.4 has all calls of a group');
  const joinGroup = broker.joinGroup.bind(broker);
  const syncGroup = broker.syncGroup.bind(broker);
  const leaveGroup = broker.leaveGroup.bind(broker);
  const orFailed = <T>(step: Promise<T>): Promise<T> =>
    step.catch((error: unknown) => {
      throw observer.joinFailed(error);
    });
  const heartbeat = broker.heartbeat.bind(broker);
  broker.heartbeat = async (request) => {
    try {
      return await heartbeat(request);
    } catch (error) {
      if (!isConnectionLost(error)) throw error;
    }
    // The second time it is another connection.
    return heartbeat(request).catch(toCoordinatorGone);
  };
  broker.joinGroup = async (request) => {
    const answer = await orFailed(joinGroup(request));
    observer.joined(answer, broker);
    return answer;
  };
  broker.syncGroup = (request) => orFailed(syncGroup(request));
  broker.leaveGroup = (request) => {
    observer.leaving();
    return leaveGroup(request);
  };
}

/** kafkajs would ask the same broker again and again; of one that coordinates no more it looks for the next. */
function toCoordinatorGone(error: unknown): never {
  throw isConnectionLost(error) ? new CoordinatorGoneError(error) : error;
}

class CoordinatorGoneError extends Error {
  readonly type = 'NOT_COORDINATOR_FOR_GROUP';
  readonly retriable = true;

  constructor(cause: unknown) {
    super(`the coordinator cannot be reached: ${String(cause)}`, { cause });
  }
}
