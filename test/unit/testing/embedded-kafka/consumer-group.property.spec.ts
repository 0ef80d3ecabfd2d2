import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type { GroupDescription } from '../../../../lib/testing/embedded-kafka/state/consumer-group.js';
import { GroupOnTrial, type TestMember } from '../../../support/group-members.js';

const MEMBERS = ['a', 'b', 'c', 'd'];
/** The last of them is static. */
const STATIC = 'd';

type Step =
  | {
      readonly kind: 'join' | 'sync' | 'heartbeat' | 'commit' | 'leave' | 'restart' | 'expire';
      readonly who: number;
    }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'trigger' | 'move' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'join',
        'join',
        'sync',
        'sync',
        'heartbeat',
        'commit',
        'leave',
        'restart',
        'expire',
      ),
      who: fc.nat(MEMBERS.length - 1),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(12_000) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constantFrom('trigger' as const, 'move' as const) }),
  },
);

/** What clients do to one group, in any order, and what must hold of it all the time. */
class Trial {
  readonly group: GroupOnTrial;
  /** Joins and syncs that were asked for and are not answered yet. */
  waiting = 0;
  readonly #members: TestMember[];
  #lastGeneration = 0;
  #lastCommitGeneration = 0;

  constructor(delayMs: number) {
    this.group = new GroupOnTrial(delayMs);
    this.#members = MEMBERS.map((name) => this.#start(name));
  }

  get description(): GroupDescription | undefined {
    return this.group.coordinator.describe('g');
  }

  async run(step: Step): Promise<void> {
    await this.#do(step);
    await settled();
    this.#check();
  }

  async #do(step: Step): Promise<void> {
    switch (step.kind) {
      case 'pass':
        this.group.clock.advance(step.ms);
        return;
      case 'trigger':
        if (this.description !== undefined) this.group.coordinator.triggerRebalance('g');
        return;
      case 'move':
        this.group.coordinator.coordinatorMoved('g');
        return;
      default:
        await this.#doMember(step.kind, step.who);
    }
  }

  async #doMember(kind: string, who: number): Promise<void> {
    const member = this.#members[who];
    if (member === undefined) throw new RangeError(`member ${String(who)}`);
    switch (kind) {
      case 'join':
        this.#await(member.join());
        return;
      case 'sync':
        this.#await(member.sync(this.#members));
        return;
      case 'heartbeat':
        await member.heartbeat();
        return;
      case 'commit':
        if ((await member.commit(1)) === 'ok') this.#committed(member);
        return;
      case 'leave':
        await member.heartbeat();
        if (this.description !== undefined) member.leave();
        return;
      case 'restart':
        // A crash: the client forgets who it was, and the broker does not know yet.
        this.#members[who] = this.#start(member.name);
        return;
      case 'expire':
        if (this.description?.members.some(({ memberId }) => memberId === member.id) === true)
          this.group.coordinator.expireMember('g', member.id);
    }
  }

  #start(name: string): TestMember {
    const options = { sessionTimeoutMs: 5_000, rebalanceTimeoutMs: 8_000 };
    return this.group.member(
      name,
      name === STATIC ? { ...options, groupInstanceId: 'pod' } : options,
    );
  }

  #await(answer: Promise<unknown>): void {
    this.waiting++;
    void answer.then(() => this.waiting--);
  }

  /** Fenced: once a generation has committed, no earlier one may. */
  #committed({ generationId }: TestMember): void {
    if (generationId < 0) return;
    expect(generationId).toBe(this.description?.generationId);
    expect(generationId).toBeGreaterThanOrEqual(this.#lastCommitGeneration);
    this.#lastCommitGeneration = generationId;
  }

  #check(): void {
    const group = this.description;
    if (group === undefined) return;
    expect(group.generationId).toBeGreaterThanOrEqual(this.#lastGeneration);
    this.#lastGeneration = group.generationId;
    const ids = group.members.map(({ memberId }) => memberId);
    expect(new Set(ids).size).toBe(ids.length);
    if (ids.length > 0) expect(ids).toContain(group.leaderId);
    if (group.state === 'Empty') expect(ids).toEqual([]);
    if (group.state === 'Stable' || group.state === 'CompletingRebalance') {
      expect(ids).not.toEqual([]);
      expect(group.protocol).toBe('any');
    }
    const parts = group.members.map(({ assignment }) => assignment.toString()).filter(Boolean);
    expect(new Set(parts).size).toBe(parts.length);
  }
}

/** All that follows from a step without the clock: no chain of promises here is longer. */
async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await Promise.resolve();
}

describe('whatever clients do to a group', () => {
  it('generations only grow, nobody shares a part, and old generations commit nothing', async () => {
    const trial = fc.asyncProperty(
      fc.constantFrom(0, 3_000),
      fc.array(step, { maxLength: 60 }),
      async (delayMs, steps) => {
        const on = new Trial(delayMs);
        for (const each of steps) await on.run(each);
      },
    );
    await fc.assert(trial, { numRuns: 200 });
  });

  it('every join and sync is answered, and no timer is left when all clients are gone', async () => {
    const trial = fc.asyncProperty(
      fc.constantFrom(0, 3_000),
      fc.array(step, { maxLength: 60 }),
      async (delayMs, steps) => {
        const on = new Trial(delayMs);
        for (const each of steps) await on.run(each);
        // New members are given up after five minutes; nothing else takes as long.
        for (let i = 0; i < 50; i++) await on.run({ kind: 'pass', ms: 10_000 });
        expect(on.waiting).toBe(0);
        expect(on.description?.members ?? []).toEqual([]);
        expect(on.group.clock.pending).toBe(0);
      },
    );
    await fc.assert(trial, { numRuns: 100 });
  });
});
