import type { JoinAnswer } from '../../lib/testing/embedded-kafka/state/group-member.js';
import { GroupCoordinator } from '../../lib/testing/embedded-kafka/state/group-coordinator.js';
import { MemberIdRequiredError } from '../../lib/testing/embedded-kafka/state/membership.js';
import { KafkaProtocolError } from '../../lib/testing/embedded-kafka/wire/kafka-error.js';
import { ManualClock } from './manual-clock.js';

export interface MemberOptions {
  readonly groupInstanceId?: string;
  readonly sessionTimeoutMs?: number;
  readonly rebalanceTimeoutMs?: number;
  /** Names of protocols, or name and metadata. */
  readonly protocols?: readonly (string | readonly [string, string])[];
  /** False for a client from before KIP-394. */
  readonly knowsIdIsRequired?: boolean;
}

/** A group coordinator on a clock that stands still, and the group `g` in it. */
export class GroupOnTrial {
  readonly clock = new ManualClock();
  readonly coordinator: GroupCoordinator;
  #ids = 0;

  constructor(initialRebalanceDelayMs = 0) {
    this.coordinator = new GroupCoordinator({
      clock: this.clock,
      groupInitialRebalanceDelayMs: initialRebalanceDelayMs,
      groupMinSessionTimeoutMs: 1_000,
      groupMaxSessionTimeoutMs: 60_000,
      randomId: () => String(++this.#ids),
    });
  }

  get state(): string | undefined {
    return this.coordinator.describe('g')?.state;
  }
  get generationId(): number | undefined {
    return this.coordinator.describe('g')?.generationId;
  }
  /** The client ids of its members. */
  get members(): string[] {
    return this.coordinator.describe('g')?.members.map(({ clientId }) => clientId) ?? [];
  }

  member(clientId: string, options: MemberOptions = {}): TestMember {
    return new TestMember(this.coordinator, clientId, options);
  }

  /** These as a stable group; the first leads. */
  async stable(first: TestMember, ...others: TestMember[]): Promise<void> {
    await first.join();
    await this.gather(...others, first);
    await this.syncAll(first, ...others);
  }

  /** All of them join, and are in the next generation when the last one has. */
  async gather(...members: TestMember[]): Promise<void> {
    for (const member of members) await member.giveId();
    await Promise.all(members.map((member) => member.joinOnce()));
  }

  async syncAll(...members: TestMember[]): Promise<string[]> {
    return Promise.all(members.map((member) => member.sync(members)));
  }
}

/** A member that does only what it is told; an error is answered by its name. */
export class TestMember {
  id = '';
  generationId = -1;

  constructor(
    private readonly coordinator: GroupCoordinator,
    readonly name: string,
    private readonly options: MemberOptions,
  ) {}

  /** Asks for a member id, unless it has one or is static. */
  async giveId(): Promise<void> {
    if (this.#needsId) await this.joinOnce();
  }

  /** Joins as clients do; one that has an id has asked when this returns. */
  join(): Promise<JoinAnswer | string> {
    return this.#needsId ? this.giveId().then(() => this.joinOnce()) : this.joinOnce();
  }

  async joinOnce(): Promise<JoinAnswer | string> {
    try {
      const answer = await this.coordinator.join('g', this.#joinRequest());
      this.id = answer.memberId;
      this.generationId = answer.generationId;
      return answer;
    } catch (error) {
      if (error instanceof MemberIdRequiredError) this.id = error.memberId;
      return refusal(error);
    }
  }

  /** Gives each of these its name as its part, which counts only if this one leads. */
  async sync(all: readonly TestMember[] = []): Promise<string> {
    const parts = new Map(all.map(({ id, name }) => [id, Buffer.from(name)]));
    return answered(async () =>
      (await this.coordinator.sync('g', this.membership, parts)).toString(),
    );
  }

  heartbeat(): Promise<string> {
    return answered(() => {
      this.coordinator.heartbeat('g', this.membership);
      return 'ok';
    });
  }

  commit(offset: number): Promise<string> {
    return answered(() => {
      const offsets = this.coordinator.offsetsToCommit('g', this.membership);
      offsets.commit({ topic: 't', partition: 0, offset: BigInt(offset), metadata: null });
      return 'ok';
    });
  }

  leave(): number | undefined {
    return this.coordinator.leave('g', [this.membership])[0]?.errorCode;
  }

  get membership() {
    const groupInstanceId = this.options.groupInstanceId ?? null;
    return { memberId: this.id, groupInstanceId, generationId: this.generationId };
  }

  get #needsId(): boolean {
    const { groupInstanceId, knowsIdIsRequired = true } = this.options;
    return this.id === '' && groupInstanceId === undefined && knowsIdIsRequired;
  }

  #joinRequest() {
    const {
      sessionTimeoutMs = 10_000,
      rebalanceTimeoutMs = 30_000,
      knowsIdIsRequired = true,
    } = this.options;
    const { memberId, groupInstanceId } = this.membership;
    return {
      ...{ memberId, groupInstanceId, sessionTimeoutMs, rebalanceTimeoutMs },
      ...{ clientId: this.name, clientHost: 'here', protocolType: 'consumer', knowsIdIsRequired },
      protocols: (this.options.protocols ?? ['any']).map((protocol) => {
        const [name, metadata] = typeof protocol === 'string' ? [protocol, ''] : protocol;
        return { name, metadata: Buffer.from(metadata) };
      }),
    };
  }
}

async function answered(call: () => string | Promise<string>): Promise<string> {
  try {
    return await call();
  } catch (error) {
    return refusal(error);
  }
}

function refusal(error: unknown): string {
  if (error instanceof KafkaProtocolError) return error.error;
  throw error;
}
