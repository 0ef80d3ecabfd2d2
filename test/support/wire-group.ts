import { eventually } from './eventually.js';
import { WireClient } from './wire-client.js';

export interface JoinAnswer {
  readonly errorCode: number;
  readonly generationId: number;
  readonly groupProtocol: string;
  readonly leaderId: string;
  readonly memberId: string;
  readonly members: readonly { readonly memberId: string; readonly memberMetadata: Buffer }[];
}

export interface SyncAnswer {
  readonly errorCode: number;
  readonly memberAssignment: Buffer;
}

export interface MemberOptions {
  readonly sessionTimeout?: number;
  readonly rebalanceTimeout?: number;
  readonly groupInstanceId?: string;
  readonly protocols?: readonly string[];
}

/**
 * A subscription to nothing: version 0, no topics, no user data. Kafka 4 reads what members send, and
 * other bytes can be the length of an array that its coordinator never recovers from.
 */
const NO_TOPICS = Buffer.from('000000000000ffffffff', 'hex');

/** A group member that does only what it is told, on a connection of its own. */
export class WireMember {
  memberId = '';
  generationId = -1;

  private constructor(
    readonly client: WireClient,
    readonly groupId: string,
    private readonly options: MemberOptions,
  ) {}

  static async connect(
    brokers: readonly string[],
    groupId: string,
    options: MemberOptions = {},
  ): Promise<WireMember> {
    const client = await WireClient.connect(brokers);
    await eventually(() => isCoordinator(client, groupId), {
      message: `coordinator of ${groupId}`,
    });
    return new WireMember(client, groupId, options);
  }

  /** One JoinGroup with the id it has. */
  async joinOnce(): Promise<JoinAnswer> {
    const {
      sessionTimeout = 10_000,
      rebalanceTimeout = 10_000,
      groupInstanceId = null,
    } = this.options;
    const answer = await this.client.send<JoinAnswer>('JoinGroup', {
      groupId: this.groupId,
      sessionTimeout,
      rebalanceTimeout,
      memberId: this.memberId,
      groupInstanceId,
      protocolType: 'consumer',
      groupProtocols: (this.options.protocols ?? ['any']).map((name) => ({
        name,
        metadata: NO_TOPICS,
      })),
    });
    if (answer.memberId !== '') this.memberId = answer.memberId;
    if (answer.errorCode === 0) this.generationId = answer.generationId;
    return answer;
  }

  /** Joins as clients do: again at once with the id that the first answer gives. */
  async join(): Promise<JoinAnswer> {
    const answer = await this.joinOnce();
    return answer.errorCode === 79 ? this.joinOnce() : answer;
  }

  /** Gives each member its own id as assignment, when it leads; else nothing. */
  sync(members: readonly { readonly memberId: string }[] = []): Promise<SyncAnswer> {
    return this.client.send('SyncGroup', {
      ...this.identity(),
      generationId: this.generationId,
      groupInstanceId: this.options.groupInstanceId ?? null,
      groupAssignment: members.map(({ memberId }) => ({
        memberId,
        memberAssignment: Buffer.from(memberId),
      })),
    });
  }

  async heartbeat(): Promise<number> {
    const { errorCode } = await this.client.send<{ errorCode: number }>('Heartbeat', {
      ...this.identity(),
      groupGenerationId: this.generationId,
      groupInstanceId: this.options.groupInstanceId ?? null,
    });
    return errorCode;
  }

  async leave(): Promise<number> {
    const answer = await this.client.send<{ members: { errorCode: number }[]; errorCode: number }>(
      'LeaveGroup',
      this.identity(),
    );
    return answer.errorCode === 0 ? (answer.members[0]?.errorCode ?? 0) : answer.errorCode;
  }

  /** Commits one offset; answers the partition's error code. */
  async commit(topic: string, offset: number, generationId = this.generationId): Promise<number> {
    const { responses } = await this.client.send<{
      responses: { partitions: { errorCode: number }[] }[];
    }>('OffsetCommit', {
      ...this.identity(),
      groupGenerationId: generationId,
      topics: [{ topic, partitions: [{ partition: 0, offset: String(offset) }] }],
    });
    return responses[0]?.partitions[0]?.errorCode ?? -2;
  }

  /** The group's committed offset of partition 0; -1 for none. */
  async committed(topic: string): Promise<number> {
    const { responses } = await this.client.send<{
      responses: { partitions: { offset: string }[] }[];
    }>('OffsetFetch', {
      groupId: this.groupId,
      topics: [{ topic, partitions: [{ partition: 0 }] }],
    });
    return Number(responses[0]?.partitions[0]?.offset ?? '-2');
  }

  private identity(): { readonly groupId: string; readonly memberId: string } {
    return { groupId: this.groupId, memberId: this.memberId };
  }
}

/** A new cluster makes its offsets topic when it is first asked for a coordinator, and then loads it. */
async function isCoordinator(client: WireClient, groupId: string): Promise<boolean> {
  await client.send('GroupCoordinator', { groupId, coordinatorType: 0 });
  const { groups } = await client.send<{ groups: { errorCode: number }[] }>('DescribeGroups', {
    groupIds: [groupId],
  });
  return ![14, 15, 16].includes(groups[0]?.errorCode ?? 16);
}
