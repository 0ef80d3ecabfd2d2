import { randomUUID } from 'node:crypto';
import { KafkaProtocolError } from '../wire/kafka-error.js';
import { ConsumerGroup, type GroupDescription, type GroupOptions } from './consumer-group.js';
import type { JoinAnswer } from './group-member.js';
import type { GroupOffsets, OffsetToCommit } from './group-offsets.js';
import type { JoinRequest, LeaveResult, MemberClaim, Membership } from './membership.js';

export type GroupCoordinatorOptions = Omit<GroupOptions, 'randomId'> & Partial<GroupOptions>;

/**
 * All groups of a cluster by their ids, with what is answered where there is no such group.
 *
 * Requests throw, or reject with, the KafkaProtocolError to answer.
 */
export class GroupCoordinator {
  readonly #groups = new Map<string, ConsumerGroup>();
  readonly #options: GroupOptions;

  constructor(options: GroupCoordinatorOptions) {
    this.#options = { randomId: randomUUID, ...options };
  }

  /** @throws KafkaProtocolError INVALID_GROUP_ID, INVALID_SESSION_TIMEOUT, UNKNOWN_MEMBER_ID, or as ConsumerGroup.join. */
  join(groupId: string, request: JoinRequest): Promise<JoinAnswer> {
    if (groupId === '') throw new KafkaProtocolError('INVALID_GROUP_ID');
    const { groupMinSessionTimeoutMs, groupMaxSessionTimeoutMs } = this.#options;
    const { memberId, sessionTimeoutMs } = request;
    if (
      sessionTimeoutMs < groupMinSessionTimeoutMs ||
      sessionTimeoutMs > groupMaxSessionTimeoutMs
    ) {
      throw new KafkaProtocolError('INVALID_SESSION_TIMEOUT');
    }
    const group = memberId === '' ? this.#findOrCreate(groupId) : this.#withMembers(groupId);
    return group.join(request);
  }

  /** As ConsumerGroup.sync. */
  sync(
    groupId: string,
    membership: Membership,
    assignments: ReadonlyMap<string, Buffer>,
  ): Promise<Buffer> {
    return this.#withMembers(groupId).sync(membership, assignments);
  }

  /** As ConsumerGroup.heartbeat. */
  heartbeat(groupId: string, membership: Membership): void {
    this.#withMembers(groupId).heartbeat(membership);
  }

  /** As ConsumerGroup.leave. @throws KafkaProtocolError UNKNOWN_MEMBER_ID without such a group. */
  leave(groupId: string, leavers: readonly MemberClaim[]): readonly LeaveResult[] {
    return this.#withMembers(groupId).leave(leavers);
  }

  /**
   * The group's offsets, where the member may commit to them now. A commit outside of generations
   * makes the group.
   *
   * @throws KafkaProtocolError ILLEGAL_GENERATION without such a group, or as ConsumerGroup.admitCommit.
   */
  offsetsToCommit(groupId: string, membership: Membership): GroupOffsets {
    const group = this.#toCommit(groupId, membership);
    group.admitCommit(membership);
    return group.offsets;
  }

  /**
   * Keeps a transaction's offsets until `endTransaction`; all of them or, when it throws, none.
   *
   * The producer's epoch is what fences here: these versions of the request name no member.
   *
   * @throws KafkaProtocolError INVALID_PRODUCER_EPOCH, OFFSET_METADATA_TOO_LARGE.
   */
  stageOffsets(
    groupId: string,
    producerId: bigint,
    producerEpoch: number,
    offsets: readonly OffsetToCommit[],
  ): void {
    this.#findOrCreate(groupId).offsets.stage(producerId, producerEpoch, offsets);
  }

  /** Commits or drops the offsets that the producer's transaction staged, in all groups. */
  endTransaction(producerId: bigint, committed: boolean): void {
    for (const { offsets } of this.#groups.values()) offsets.endTransaction(producerId, committed);
  }

  /** The committed offsets of a group; undefined where there is no such group. */
  offsetsOf(groupId: string): GroupOffsets | undefined {
    return this.#groups.get(groupId)?.offsets;
  }

  /** The group as it is now; undefined where there is no such group. */
  describe(groupId: string): GroupDescription | undefined {
    return this.#groups.get(groupId)?.describe();
  }

  list(): readonly Pick<GroupDescription, 'groupId' | 'protocolType' | 'state'>[] {
    return [...this.#groups.values()].map(({ groupId, protocolType, state }) => ({
      groupId,
      protocolType,
      state,
    }));
  }

  /** @throws KafkaProtocolError GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP. */
  delete(groupId: string): void {
    const group = this.#existing(groupId);
    if (group.state !== 'Empty') throw new KafkaProtocolError('NON_EMPTY_GROUP', groupId);
    group.close();
    this.#groups.delete(groupId);
  }

  /** The topic is deleted: nobody has offsets in it. */
  forgetTopic(topic: string): void {
    for (const { offsets } of this.#groups.values()) offsets.forgetTopic(topic);
  }

  /** Makes all members join again. @throws KafkaProtocolError GROUP_ID_NOT_FOUND. */
  triggerRebalance(groupId: string): void {
    this.#existing(groupId).triggerRebalance();
  }

  /** Ends the member's session now. @throws KafkaProtocolError GROUP_ID_NOT_FOUND, UNKNOWN_MEMBER_ID. */
  expireMember(groupId: string, memberId: string): void {
    this.#existing(groupId).expireMember(memberId);
  }

  /** Another broker coordinates the group: whoever waits for an answer is told NOT_COORDINATOR. */
  coordinatorMoved(groupId: string): void {
    this.#groups.get(groupId)?.coordinatorMoved();
  }

  /** No timer is left, and nobody is kept waiting. */
  close(): void {
    for (const group of this.#groups.values()) group.close();
    this.#groups.clear();
  }

  #findOrCreate(groupId: string): ConsumerGroup {
    const present = this.#groups.get(groupId);
    if (present !== undefined) return present;
    const group = new ConsumerGroup(groupId, this.#options);
    this.#groups.set(groupId, group);
    return group;
  }

  /** For requests of members: where there is no group, there is no such member. */
  #withMembers(groupId: string): ConsumerGroup {
    if (groupId === '') throw new KafkaProtocolError('INVALID_GROUP_ID');
    const group = this.#groups.get(groupId);
    if (group === undefined) throw new KafkaProtocolError('UNKNOWN_MEMBER_ID');
    return group;
  }

  /** Whoever has no generation may be the first to name the group. */
  #toCommit(groupId: string, { generationId }: Membership): ConsumerGroup {
    if (generationId < 0) return this.#findOrCreate(groupId);
    const group = this.#groups.get(groupId);
    if (group === undefined) throw new KafkaProtocolError('ILLEGAL_GENERATION');
    return group;
  }

  #existing(groupId: string): ConsumerGroup {
    const group = this.#groups.get(groupId);
    if (group === undefined) throw new KafkaProtocolError('GROUP_ID_NOT_FOUND', groupId);
    return group;
  }
}
