import { setTimeout as sleep } from 'node:timers/promises';
import type { EmbeddedKafka } from '../../lib/testing/index.js';
import { GROUPS, TOPICS } from './scene.js';

/** Requests that are delayed, or whose connection is closed before or after the deed. */
const STRUCK = ['Produce', 'Fetch', 'Heartbeat', 'OffsetCommit', 'JoinGroup', 'SyncGroup'] as const;

const PAUSE_MS = 300;

/** Does to a broker whatever its users can do to it, at random. Nothing of it loses a record. */
export class Troubles {
  /** How often, by name. */
  readonly made: Record<string, number> = {};
  readonly #kinds: readonly (readonly [name: string, trouble: () => void | Promise<void>])[] = [
    [
      'rebalance',
      () => {
        this.#rebalance();
      },
    ],
    [
      'expiry',
      () => {
        this.#expire();
      },
    ],
    [
      'leader moved',
      () => {
        this.#moveLeader();
      },
    ],
    [
      'coordinator moved',
      () => {
        this.#moveCoordinator();
      },
    ],
    ['broker restarted', () => this.#restartBroker()],
    [
      'connection closed',
      () => {
        this.#closeConnection();
      },
    ],
    [
      'answer lost',
      () => {
        this.#loseAnswer();
      },
    ],
    [
      'answer delayed',
      () => {
        this.#delay();
      },
    ],
    [
      'commit refused',
      () => {
        this.#refuseCommit();
      },
    ],
  ];

  constructor(
    private readonly kafka: EmbeddedKafka,
    private readonly random: () => number,
  ) {}

  /** One after the other; all brokers run when it is over. */
  async makeUntil(end: AbortSignal): Promise<void> {
    while (!end.aborted) {
      const [name, trouble] = this.#oneOf(this.#kinds);
      await trouble();
      this.made[name] = (this.made[name] ?? 0) + 1;
      await sleep(2 * PAUSE_MS * this.random());
    }
  }

  #rebalance(): void {
    const groupId = this.#oneOf(GROUPS);
    if (this.kafka.group(groupId) !== undefined) this.kafka.triggerRebalance(groupId);
  }

  #expire(): void {
    const groupId = this.#oneOf(GROUPS);
    const members = this.kafka.group(groupId)?.members ?? [];
    if (members.length > 0) this.kafka.expireMember(groupId, this.#oneOf(members).memberId);
  }

  #moveLeader(): void {
    const { topic, partitions } = this.#oneOf(TOPICS);
    this.kafka.moveLeader(topic, this.#below(partitions), this.#node());
  }

  #moveCoordinator(): void {
    this.kafka.moveCoordinator(this.#oneOf(GROUPS), this.#node());
  }

  async #restartBroker(): Promise<void> {
    const node = this.#node();
    await this.kafka.stopBroker(node);
    await sleep(3 * PAUSE_MS * this.random());
    await this.kafka.startBroker(node);
  }

  #closeConnection(): void {
    this.kafka.on(this.#oneOf(STRUCK), (_request, control) => control.closeConnection());
  }

  #loseAnswer(): void {
    this.kafka.on(this.#oneOf(STRUCK), async (_request, control) => {
      await control.handle();
      return control.closeConnection();
    });
  }

  #delay(): void {
    this.kafka.on(this.#oneOf(STRUCK), (_request, control) => control.delay(PAUSE_MS));
  }

  #refuseCommit(): void {
    this.kafka.on('OffsetCommit', (_request, control) => control.fail('REBALANCE_IN_PROGRESS'));
  }

  #node(): number {
    return this.#below(this.kafka.brokers.length);
  }

  #below(end: number): number {
    return Math.floor(this.random() * end);
  }

  #oneOf<T>(values: readonly [T, ...T[]] | readonly T[]): T {
    const value = values[this.#below(values.length)];
    if (value === undefined) throw new RangeError('there is nothing to choose from');
    return value;
  }
}
