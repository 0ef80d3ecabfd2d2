import type { Clock } from '../../../contracts/clock.js';
import { errorCodeOf, KafkaErrorCode, KafkaProtocolError } from '../wire/kafka-error.js';
import { GroupMember, type JoinAnswer } from './group-member.js';
import { GroupMembers } from './group-members.js';
import { GroupOffsets, type CommittedOffset } from './group-offsets.js';
import {
  MemberIdRequiredError,
  type JoinRequest,
  type LeaveResult,
  type MemberClaim,
  type Membership,
} from './membership.js';
import { PendingMembers } from './pending-members.js';
import { RestartableTimer } from './restartable-timer.js';

/** By their names in the protocol. */
export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead';

export interface GroupOptions {
  readonly clock: Clock;
  /** How long an empty group waits for more members than the first, anew as long as some come. */
  readonly groupInitialRebalanceDelayMs: number;
  readonly groupMinSessionTimeoutMs: number;
  readonly groupMaxSessionTimeoutMs: number;
  /** The part of a member's id that nobody else has. */
  readonly randomId: () => string;
}

/** A group as it is at one moment. */
export interface GroupDescription {
  readonly groupId: string;
  readonly state: GroupState;
  readonly generationId: number;
  readonly protocolType: string;
  /** Null while none is agreed on. */
  readonly protocol: string | null;
  readonly leaderId: string | null;
  readonly members: readonly DescribedMember[];
  /** By topic and partition. */
  readonly offsets: ReadonlyMap<string, ReadonlyMap<number, CommittedOffset>>;
}

export interface DescribedMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  /** For the protocol agreed on. */
  readonly metadata: Buffer;
  readonly assignment: Buffer;
}

const REACHED_FROM: Record<GroupState, readonly GroupState[]> = {
  Empty: ['PreparingRebalance'],
  PreparingRebalance: ['Empty', 'CompletingRebalance', 'Stable'],
  CompletingRebalance: ['PreparingRebalance'],
  Stable: ['CompletingRebalance'],
  Dead: ['Empty', 'PreparingRebalance', 'CompletingRebalance', 'Stable'],
};

/**
 * One group of Kafka's classic protocol.
 *
 *     Empty ── first join ─────────────────────▶ PreparingRebalance
 *     PreparingRebalance ── all have joined ───▶ CompletingRebalance    or the time is up: without the others
 *     PreparingRebalance ── nobody is left ────▶ Empty
 *     CompletingRebalance ── leader synced ────▶ Stable
 *     CompletingRebalance, Stable ─────────────▶ PreparingRebalance     a member joined, left or expired
 *     any ── deleted ──────────────────────────▶ Dead
 *
 * Requests throw, or reject with, the KafkaProtocolError to answer.
 *
 * @see https://cwiki.apache.org/confluence/display/KAFKA/Kafka+Client-side+Assignment+Proposal
 * @see KIP-134 (first delay), KIP-345 (static members), KIP-394 (member ids)
 */
export class ConsumerGroup {
  readonly offsets = new GroupOffsets();
  readonly #members = new GroupMembers();
  readonly #pending: PendingMembers;
  /** Ids of members that know of the generation and have not asked for their part in it. */
  readonly #unsynced = new Set<string>();
  readonly #joinDeadline: RestartableTimer;
  readonly #syncDeadline: RestartableTimer;
  #state: GroupState = 'Empty';
  #generationId = 0;
  #protocolType = '';
  #protocol: string | null = null;
  /** In PreparingRebalance, when the group was empty before. */
  #gathersFirst = false;
  /** Somebody came since the first delay began. */
  #newcomer = false;

  constructor(
    readonly groupId: string,
    private readonly options: GroupOptions,
  ) {
    this.#pending = new PendingMembers(options.clock);
    this.#joinDeadline = new RestartableTimer(options.clock);
    this.#syncDeadline = new RestartableTimer(options.clock);
  }

  get state(): GroupState {
    return this.#state;
  }
  get protocolType(): string {
    return this.#protocolType;
  }

  describe(): GroupDescription {
    return {
      groupId: this.groupId,
      state: this.#state,
      generationId: this.#generationId,
      protocolType: this.#protocolType,
      protocol: this.#protocol,
      leaderId: this.#members.leaderId,
      members: [...this.#members].map((member) => ({
        ...member.identity,
        metadata: member.metadataFor(this.#protocol),
        assignment: member.assignment,
      })),
      offsets: this.offsets.snapshot(),
    };
  }

  /**
   * Answered when the group has gathered; at once where the member asks for what it was told before.
   *
   * @throws KafkaProtocolError INCONSISTENT_GROUP_PROTOCOL, MEMBER_ID_REQUIRED (MemberIdRequiredError),
   *   UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID.
   */
  join(request: JoinRequest): Promise<JoinAnswer> {
    if (!this.#accepts(request)) throw new KafkaProtocolError('INCONSISTENT_GROUP_PROTOCOL');
    if (request.memberId === '') return this.#joinFirst(request);
    if (this.#pending.delete(request.memberId)) return this.#admit(request, request.memberId);
    return this.#joinAgain(this.#members.require(request), request);
  }

  /**
   * Answered with the member's part when the leader has given out all parts.
   *
   * @param assignments by member id; only the leader's count.
   * @throws KafkaProtocolError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS.
   */
  sync(membership: Membership, assignments: ReadonlyMap<string, Buffer>): Promise<Buffer> {
    const member = this.#memberOfGeneration(membership);
    if (this.#state === 'PreparingRebalance') throw new KafkaProtocolError('REBALANCE_IN_PROGRESS');
    this.#hasSynced(member);
    if (this.#state === 'Stable') {
      member.keepAlive();
      return Promise.resolve(member.assignment);
    }
    const answer = member.awaitSync();
    if (this.#members.isLeader(member)) this.#giveOut(assignments);
    return answer;
  }

  /** @throws KafkaProtocolError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS. */
  heartbeat(membership: Membership): void {
    this.#memberOfGeneration(membership).keepAlive();
    if (this.#state === 'PreparingRebalance') throw new KafkaProtocolError('REBALANCE_IN_PROGRESS');
  }

  /** Lets members go. A static one may be named without its member id. */
  leave(leavers: readonly MemberClaim[]): readonly LeaveResult[] {
    const before = this.#members.size;
    const results = leavers.map((leaver) => ({ ...leaver, errorCode: this.#leaveOne(leaver) }));
    if (this.#members.size < before) this.#membersLeft();
    else this.#completeIfAllJoined();
    return results;
  }

  /**
   * Passes where the member may commit now. A commit is a sign of life, too.
   *
   * Outside of generations, as admin tools do it, commits pass while the group has no members.
   *
   * @throws KafkaProtocolError UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS.
   */
  admitCommit(membership: Membership): void {
    if (membership.generationId < 0 && this.#state === 'Empty') return;
    const member = this.#memberOfGeneration(membership);
    if (this.#state === 'CompletingRebalance')
      throw new KafkaProtocolError('REBALANCE_IN_PROGRESS');
    member.keepAlive();
  }

  /** Makes all members join again; nothing happens where they are about to. */
  triggerRebalance(): void {
    if (this.#state === 'Stable' || this.#state === 'CompletingRebalance') this.#prepareRebalance();
  }

  /** Ends the member's session now. @throws KafkaProtocolError UNKNOWN_MEMBER_ID. */
  expireMember(memberId: string): void {
    this.#expire(this.#members.require({ memberId, groupInstanceId: null }));
  }

  /** Whoever waits for an answer is sent to look for the coordinator again. */
  coordinatorMoved(): void {
    for (const member of this.#members) member.refuse(new KafkaProtocolError('NOT_COORDINATOR'));
  }

  /** The group is deleted: no timer is left, and nobody is kept waiting. */
  close(): void {
    this.#moveTo('Dead');
    this.#joinDeadline.cancel();
    this.#syncDeadline.cancel();
    this.#pending.clear();
    for (const member of this.#members) {
      member.remove(new KafkaProtocolError('COORDINATOR_NOT_AVAILABLE'));
    }
  }

  #accepts({ protocolType, protocols }: JoinRequest): boolean {
    if (this.#state === 'Empty') return protocolType !== '' && protocols.length > 0;
    return (
      protocolType === this.#protocolType &&
      this.#members.allKnowOneOf(protocols.map(({ name }) => name))
    );
  }

  #joinFirst(request: JoinRequest): Promise<JoinAnswer> {
    const { groupInstanceId, clientId, sessionTimeoutMs } = request;
    const memberId = `${groupInstanceId ?? clientId}-${this.options.randomId()}`;
    if (groupInstanceId === null && request.knowsIdIsRequired) {
      this.#pending.add(memberId, sessionTimeoutMs, () => {
        this.#completeIfAllJoined();
      });
      throw new MemberIdRequiredError(memberId);
    }
    const former = this.#members.findStatic(groupInstanceId);
    return former === undefined
      ? this.#admit(request, memberId)
      : this.#replaceStatic(former, request, memberId);
  }

  #admit(request: JoinRequest, memberId: string): Promise<JoinAnswer> {
    if (this.#members.size === 0) this.#protocolType = request.protocolType;
    const member = this.#newMember(request, memberId);
    this.#members.add(member);
    this.#newcomer = true;
    const answer = member.awaitJoin();
    this.#rebalanceOrComplete();
    return answer;
  }

  #joinAgain(member: GroupMember, request: JoinRequest): Promise<JoinAnswer> {
    if (this.#isSettled(member) && member.matches(request.protocols)) {
      return Promise.resolve(this.#joinAnswerFor(member));
    }
    member.settings = request;
    const answer = member.awaitJoin();
    this.#rebalanceOrComplete();
    return answer;
  }

  /** Whether a join without news has its answer already. A leader joins because it saw the topics change. */
  #isSettled(member: GroupMember): boolean {
    if (this.#state === 'Stable') return !this.#members.isLeader(member);
    return this.#state === 'CompletingRebalance';
  }

  /** In a stable group nobody else notices: the new self has its former self's part. */
  #replaceStatic(former: GroupMember, request: JoinRequest, memberId: string): Promise<JoinAnswer> {
    const leaderBefore = this.#members.leaderId;
    const member = this.#newMember(request, memberId);
    member.succeed(former);
    this.#members.replace(former, member);
    if (this.#unsynced.delete(former.id)) this.#unsynced.add(member.id);
    if (this.#state === 'Stable' && this.#members.preferredProtocol() === this.#protocol) {
      member.keepAlive();
      // Under its former id as leader, so that it does not hand out parts that nobody asks for.
      const leaderId = leaderBefore ?? member.id;
      return Promise.resolve({ ...this.#joinAnswerFor(member), leaderId, members: [] });
    }
    const answer = member.awaitJoin();
    this.#rebalanceOrComplete();
    return answer;
  }

  #newMember(request: JoinRequest, memberId: string): GroupMember {
    const { groupInstanceId, clientId, clientHost } = request;
    return new GroupMember(
      { memberId, groupInstanceId, clientId, clientHost },
      request,
      this.options.clock,
      (member) => {
        this.#expire(member);
      },
    );
  }

  #joinAnswerFor(member: GroupMember): JoinAnswer {
    const protocol = this.#protocol ?? '';
    return {
      generationId: this.#generationId,
      protocol,
      leaderId: this.#members.leaderId ?? '',
      memberId: member.id,
      members: this.#members.isLeader(member) ? this.#members.describedIn(protocol) : [],
    };
  }

  #rebalanceOrComplete(): void {
    if (this.#state === 'PreparingRebalance') this.#completeIfAllJoined();
    else this.#prepareRebalance();
  }

  #prepareRebalance(): void {
    if (this.#state === 'CompletingRebalance') this.#takeBackGeneration();
    this.#syncDeadline.cancel();
    this.#gathersFirst = this.#state === 'Empty';
    this.#moveTo('PreparingRebalance');
    if (this.#gathersFirst) this.#gatherFirst();
    else if (this.#haveAllJoined) this.#completeJoin();
    else this.#awaitJoins();
  }

  /** Nobody has got a part of it yet. */
  #takeBackGeneration(): void {
    for (const member of this.#members) {
      member.assignment = Buffer.alloc(0);
      member.refuseSync(new KafkaProtocolError('REBALANCE_IN_PROGRESS'));
    }
  }

  #gatherFirst(): void {
    const delayMs = this.options.groupInitialRebalanceDelayMs;
    this.#newcomer = false;
    if (delayMs === 0) this.#completeJoin();
    else this.#waitForNewcomers(delayMs, Math.max(0, this.#members.rebalanceTimeoutMs - delayMs));
  }

  #waitForNewcomers(delayMs: number, remainingMs: number): void {
    this.#joinDeadline.start(delayMs, () => {
      if (!this.#newcomer || remainingMs === 0) {
        this.#completeJoin();
        return;
      }
      this.#newcomer = false;
      const nextDelayMs = Math.min(this.options.groupInitialRebalanceDelayMs, remainingMs);
      this.#waitForNewcomers(nextDelayMs, Math.max(0, remainingMs - delayMs));
    });
  }

  get #haveAllJoined(): boolean {
    return this.#members.haveAllJoined && this.#pending.size === 0;
  }

  #completeIfAllJoined(): void {
    if (this.#state !== 'PreparingRebalance' || this.#gathersFirst) return;
    if (this.#haveAllJoined) this.#completeJoin();
  }

  #awaitJoins(): void {
    this.#joinDeadline.start(this.#members.rebalanceTimeoutMs, () => {
      this.#completeJoin();
    });
  }

  /** Goes on with those who have joined; static members keep their place until their session ends. */
  #completeJoin(): void {
    this.#joinDeadline.cancel();
    for (const member of [...this.#members]) {
      if (!member.awaitsJoin && !member.isStatic) this.#remove(member);
    }
    const somebodyLeads = this.#members.electJoinedLeader();
    if (this.#members.size > 0 && !somebodyLeads) this.#awaitJoins();
    else this.#beginGeneration();
  }

  #beginGeneration(): void {
    this.#generationId++;
    this.#gathersFirst = false;
    this.#protocol = this.#members.preferredProtocol();
    this.#unsynced.clear();
    if (this.#members.size === 0) {
      this.#moveTo('Empty');
      return;
    }
    this.#moveTo('CompletingRebalance');
    for (const member of this.#members) {
      this.#unsynced.add(member.id);
      member.answerJoin(this.#joinAnswerFor(member));
    }
    this.#syncDeadline.start(this.#members.rebalanceTimeoutMs, () => {
      this.#expireUnsynced();
    });
  }

  #hasSynced(member: GroupMember): void {
    this.#unsynced.delete(member.id);
    if (this.#unsynced.size === 0) this.#syncDeadline.cancel();
  }

  #giveOut(assignments: ReadonlyMap<string, Buffer>): void {
    this.#moveTo('Stable');
    for (const member of this.#members) {
      member.assignment = assignments.get(member.id) ?? Buffer.alloc(0);
      member.answerSync();
    }
  }

  #expireUnsynced(): void {
    for (const member of [...this.#members]) {
      if (this.#unsynced.has(member.id)) this.#remove(member);
    }
    this.#prepareRebalance();
  }

  #leaveOne(leaver: MemberClaim): number {
    if (this.#pending.delete(leaver.memberId)) return KafkaErrorCode.NONE;
    try {
      const named =
        leaver.memberId === '' ? this.#members.findStatic(leaver.groupInstanceId) : null;
      this.#remove(named ?? this.#members.require(leaver));
      return KafkaErrorCode.NONE;
    } catch (thrown) {
      return errorCodeOf(thrown);
    }
  }

  #expire(member: GroupMember): void {
    this.#remove(member);
    this.#membersLeft();
  }

  #remove(member: GroupMember): void {
    this.#members.delete(member);
    this.#unsynced.delete(member.id);
    member.remove(new KafkaProtocolError('UNKNOWN_MEMBER_ID'));
  }

  #membersLeft(): void {
    if (this.#state !== 'Empty') this.#rebalanceOrComplete();
  }

  #memberOfGeneration(membership: Membership): GroupMember {
    const member = this.#members.require(membership);
    if (membership.generationId !== this.#generationId) {
      throw new KafkaProtocolError('ILLEGAL_GENERATION');
    }
    return member;
  }

  #moveTo(state: GroupState): void {
    if (!REACHED_FROM[state].includes(this.#state)) {
      throw new Error(`a group cannot go from ${this.#state} to ${state}`);
    }
    this.#state = state;
  }
}
