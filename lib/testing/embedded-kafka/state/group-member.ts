import type { Clock } from '../../../contracts/clock.js';
import { KafkaProtocolError } from '../wire/kafka-error.js';
import { RestartableTimer } from './restartable-timer.js';

/** One way of assigning that a member knows, with what it tells the leader in it. */
export interface MemberProtocol {
  readonly name: string;
  readonly metadata: Buffer;
}

/** What a member joined with, and may change whenever it joins again. */
export interface MemberSettings {
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  /** In the member's order of preference. */
  readonly protocols: readonly MemberProtocol[];
}

export interface MemberIdentity {
  readonly memberId: string;
  /** The `group.instance.id` of a static member; null for the others. */
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
}

/** What a member is told when its group has gathered. */
export interface JoinAnswer {
  readonly generationId: number;
  readonly protocol: string;
  readonly leaderId: string;
  readonly memberId: string;
  /** Everybody, for the leader; nobody, for the others. */
  readonly members: readonly JoinedMember[];
}

export interface JoinedMember {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  readonly metadata: Buffer;
}

/** Who is to be told how a request that takes its time came out. */
interface Wait<T> {
  resolve(value: T): void;
  reject(error: KafkaProtocolError): void;
}

const NOTHING = Buffer.alloc(0);

/** Kafka's own limit of how long a new member may wait in its first join. */
const NEW_MEMBER_TIMEOUT_MS = 5 * 60_000;

/**
 * One member of a group: what it joined with, what it was assigned, whom it keeps waiting.
 *
 * Its session runs while it waits for nothing: a member that waits in a join or a sync cannot send
 * heartbeats. The client of a waiting member may be gone for long; Kafka too notices only later.
 */
export class GroupMember {
  assignment: Buffer = NOTHING;
  /** Until it was in a generation: nobody has told it its id, and it cannot send heartbeats. */
  isNew = true;
  readonly #session: RestartableTimer;
  #join: Wait<JoinAnswer> | null = null;
  #sync: Wait<Buffer> | null = null;

  constructor(
    readonly identity: MemberIdentity,
    public settings: MemberSettings,
    clock: Clock,
    private readonly onExpired: (member: GroupMember) => void,
  ) {
    this.#session = new RestartableTimer(clock);
  }

  get id(): string {
    return this.identity.memberId;
  }
  get isStatic(): boolean {
    return this.identity.groupInstanceId !== null;
  }
  get awaitsJoin(): boolean {
    return this.#join !== null;
  }
  get awaitsSync(): boolean {
    return this.#sync !== null;
  }

  knows(protocol: string): boolean {
    return this.settings.protocols.some(({ name }) => name === protocol);
  }

  metadataFor(protocol: string | null): Buffer {
    return this.settings.protocols.find(({ name }) => name === protocol)?.metadata ?? NOTHING;
  }

  /** Whether it joins again with nothing new in what it knows. */
  matches(protocols: readonly MemberProtocol[]): boolean {
    const present = this.settings.protocols;
    return (
      present.length === protocols.length &&
      present.every(({ name, metadata }, i) => {
        const other = protocols[i];
        return other?.name === name && other.metadata.equals(metadata);
      })
    );
  }

  /** Its session lasts from now on, where it does not wait for an answer. */
  keepAlive(): void {
    if (!this.awaitsJoin && !this.awaitsSync) this.#expireIn(this.settings.sessionTimeoutMs);
  }

  /** What it waited for before is refused: its client has asked again. */
  awaitJoin(): Promise<JoinAnswer> {
    this.refuse(new KafkaProtocolError('REBALANCE_IN_PROGRESS'));
    this.#pauseSession();
    return new Promise((resolve, reject) => {
      this.#join = { resolve, reject };
    });
  }

  /** What it waited for before is refused: its client has asked again. */
  awaitSync(): Promise<Buffer> {
    this.refuse(new KafkaProtocolError('REBALANCE_IN_PROGRESS'));
    this.#pauseSession();
    return new Promise((resolve, reject) => {
      this.#sync = { resolve, reject };
    });
  }

  answerJoin(answer: JoinAnswer): void {
    this.#join?.resolve(answer);
    this.#join = null;
    this.isNew = false;
    this.keepAlive();
  }

  answerSync(): void {
    if (this.#sync === null) return;
    this.#sync.resolve(this.assignment);
    this.#sync = null;
    this.keepAlive();
  }

  /** Whatever it waits for is refused, and its session goes on. */
  refuse(error: KafkaProtocolError): void {
    this.#join?.reject(error);
    this.#join = null;
    this.refuseSync(error);
  }

  refuseSync(error: KafkaProtocolError): void {
    this.#sync?.reject(error);
    this.#sync = null;
    this.keepAlive();
  }

  /** Takes the place of its former self, whose client is told so. */
  succeed(former: GroupMember): void {
    this.assignment = former.assignment;
    this.isNew = former.isNew;
    former.remove(new KafkaProtocolError('FENCED_INSTANCE_ID'));
  }

  /** It is no member any more: whoever waits is told why, and no timer is left. */
  remove(error: KafkaProtocolError): void {
    this.refuse(error);
    this.#session.cancel();
  }

  /** A new member is given up at some time: its client may be gone and does not know its id. */
  #pauseSession(): void {
    if (this.isNew) this.#expireIn(NEW_MEMBER_TIMEOUT_MS);
    else this.#session.cancel();
  }

  #expireIn(ms: number): void {
    this.#session.start(ms, () => {
      this.onExpired(this);
    });
  }
}
