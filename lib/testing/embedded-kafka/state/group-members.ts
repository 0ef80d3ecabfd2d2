import { KafkaProtocolError } from '../wire/kafka-error.js';
import type { GroupMember, JoinedMember, MemberIdentity } from './group-member.js';

/**
 * Who belongs to a group, who leads it, and what all of them agree on.
 *
 * The leader is the member that came first; when it goes, the next one takes its place.
 */
export class GroupMembers implements Iterable<GroupMember> {
  readonly #byId = new Map<string, GroupMember>();
  /** Member ids of static members by their `group.instance.id`. */
  readonly #staticIds = new Map<string, string>();
  #leaderId: string | null = null;

  get size(): number {
    return this.#byId.size;
  }

  /** Null while there are no members. */
  get leaderId(): string | null {
    return this.#leaderId;
  }

  get haveAllJoined(): boolean {
    return this.#all().every((member) => member.awaitsJoin);
  }

  /** The longest any member may take to join again. */
  get rebalanceTimeoutMs(): number {
    return Math.max(0, ...this.#all().map(({ settings }) => settings.rebalanceTimeoutMs));
  }

  [Symbol.iterator](): Iterator<GroupMember> {
    return this.#byId.values();
  }

  find(memberId: string): GroupMember | undefined {
    return this.#byId.get(memberId);
  }

  findStatic(groupInstanceId: string | null): GroupMember | undefined {
    const memberId = groupInstanceId === null ? undefined : this.#staticIds.get(groupInstanceId);
    return memberId === undefined ? undefined : this.#byId.get(memberId);
  }

  /** @throws KafkaProtocolError UNKNOWN_MEMBER_ID; FENCED_INSTANCE_ID when another has its place. */
  require({
    memberId,
    groupInstanceId,
  }: Pick<MemberIdentity, 'memberId' | 'groupInstanceId'>): GroupMember {
    if (groupInstanceId !== null) {
      const present = this.findStatic(groupInstanceId);
      if (present === undefined) throw new KafkaProtocolError('UNKNOWN_MEMBER_ID');
      if (present.id !== memberId) throw new KafkaProtocolError('FENCED_INSTANCE_ID');
    }
    const member = this.#byId.get(memberId);
    if (member === undefined) throw new KafkaProtocolError('UNKNOWN_MEMBER_ID');
    return member;
  }

  isLeader(member: GroupMember): boolean {
    return member.id === this.#leaderId;
  }

  add(member: GroupMember): void {
    const { memberId, groupInstanceId } = member.identity;
    this.#byId.set(memberId, member);
    if (groupInstanceId !== null) this.#staticIds.set(groupInstanceId, memberId);
    this.#leaderId ??= memberId;
  }

  delete(member: GroupMember): void {
    const { memberId, groupInstanceId } = member.identity;
    this.#byId.delete(memberId);
    if (groupInstanceId !== null) this.#staticIds.delete(groupInstanceId);
    if (memberId === this.#leaderId) this.#leaderId = this.#all()[0]?.id ?? null;
  }

  /** A static member is back under a new id and takes the place of its former self, also as leader. */
  replace(former: GroupMember, member: GroupMember): void {
    const ledBefore = this.isLeader(former);
    this.delete(former);
    this.add(member);
    if (ledBefore) this.#leaderId = member.id;
  }

  /** Makes sure that the leader is one who has joined; answers false when nobody has. */
  electJoinedLeader(): boolean {
    const joined = this.#all().filter((member) => member.awaitsJoin);
    if (!joined.some((member) => this.isLeader(member))) {
      const first = joined[0];
      if (first === undefined) return false;
      this.#leaderId = first.id;
    }
    return true;
  }

  /** Whether everybody knows at least one of these protocols. */
  allKnowOneOf(protocols: readonly string[]): boolean {
    return protocols.some((protocol) => this.#all().every((member) => member.knows(protocol)));
  }

  /** What most members prefer among the protocols that all know; null without members. */
  preferredProtocol(): string | null {
    const votes = new Map<string, number>();
    for (const { settings } of this) {
      const vote = settings.protocols.find(({ name }) => this.allKnowOneOf([name]));
      if (vote !== undefined) votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1);
    }
    const [winner] = [...votes].sort(([, a], [, b]) => b - a);
    return winner?.[0] ?? null;
  }

  /** Everybody with what they tell the leader in that protocol. */
  describedIn(protocol: string): JoinedMember[] {
    return this.#all().map((member) => ({
      memberId: member.id,
      groupInstanceId: member.identity.groupInstanceId,
      metadata: member.metadataFor(protocol),
    }));
  }

  #all(): GroupMember[] {
    return [...this.#byId.values()];
  }
}
