import { setTimeout as sleep } from 'node:timers/promises';
import { AssignerProtocol, Kafka, logLevel, type Admin } from 'kafkajs';
import { movesBetween, type Assignment } from './moves.js';

const EVERY_MS = 200;

/** Looks at a group from outside, again and again, and counts what changes hands between two rests. */
export class GroupWatch {
  rebalances = 0;
  moved = 0;
  minimum = 0;
  #before: Assignment | null = null;
  #watching = true;
  readonly #admin: Admin;
  readonly #done: Promise<void>;

  constructor(
    brokers: string[],
    private readonly groupId: string,
    private readonly partitions: number,
  ) {
    this.#admin = new Kafka({ brokers, logLevel: logLevel.NOTHING }).admin();
    this.#done = this.#watch();
  }

  async stop(): Promise<void> {
    this.#watching = false;
    await this.#done;
  }

  async #watch(): Promise<void> {
    await this.#admin.connect();
    while (this.#watching) {
      // A coordinator that is away is looked for again; what happens meanwhile counts as one move.
      const assignment = await this.#look().catch(() => null);
      if (assignment !== null) this.#compare(assignment);
      await sleep(EVERY_MS);
    }
    await this.#admin.disconnect();
  }

  /** Null while not everything is dealt. */
  async #look(): Promise<Assignment | null> {
    const { groups } = await this.#admin.describeGroups([this.groupId]);
    const [group] = groups;
    if (group?.state !== 'Stable') return null;
    const owners = new Map<number, string>();
    for (const { clientId, memberAssignment } of group.members) {
      const decoded = AssignerProtocol.MemberAssignment.decode(memberAssignment);
      const owned = Object.values(decoded?.assignment ?? {}).flat();
      for (const partition of owned) owners.set(partition, clientId);
    }
    return owners.size === this.partitions ? owners : null;
  }

  #compare(now: Assignment): void {
    const before = this.#before;
    this.#before = now;
    if (before === null) return;
    const owners = [...new Set(now.values())];
    const { moved, minimum } = movesBetween(before, now, owners);
    if (moved === 0) return;
    this.rebalances++;
    this.moved += moved;
    this.minimum += minimum;
  }
}
