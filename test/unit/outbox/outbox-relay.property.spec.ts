import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { OutboxRelay } from '../../../lib/outbox/outbox-relay.js';
import type { OutboxStore } from '../../../lib/outbox/outbox-store.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelBroker, ModelOutbox, type ModelFault } from '../../support/model-outbox.js';

const KEYS = 3;
const RELAYS = 2;
const LEASE_MS = 10_000;

type Move =
  | { readonly kind: 'add'; readonly key: number; readonly refused: boolean }
  | { readonly kind: 'broker fails'; readonly fault: ModelFault }
  | { readonly kind: 'store fails'; readonly calls: number }
  /** Dead: whatever it asked, it never hears; another is started in its place. */
  | { readonly kind: 'relay dies'; readonly relay: number }
  | { readonly kind: 'relay leaves'; readonly relay: number }
  | { readonly kind: 'wait'; readonly ms: number };

const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('add' as const),
      key: fc.nat(KEYS - 1),
      refused: fc.nat(7).map((n) => n === 0),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('broker fails' as const),
      fault: fc.constantFrom<ModelFault>('lost', 'unheard', 'silent'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('store fails' as const),
      calls: fc.integer({ min: 1, max: 3 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('relay dies' as const), relay: fc.nat(RELAYS - 1) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('relay leaves' as const), relay: fc.nat(RELAYS - 1) }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('wait' as const),
      ms: fc.constantFrom(0, 20, 300, 2_000, 4_000, 11_000, 31_000),
    }),
  },
);

interface Life {
  readonly relay: OutboxRelay;
  cut: boolean;
}

/** Relays of several processes over one outbox, moved by hand. */
class Scenario {
  readonly clock = new ManualClock();
  readonly outbox = new ModelOutbox(this.clock);
  readonly broker = new ModelBroker();
  readonly added: { readonly key: number; readonly id: string }[] = [];
  readonly #lives: Life[] = [];
  #owners = 0;

  async start(): Promise<void> {
    for (let i = 0; i < RELAYS; i++) this.#lives.push(await this.#boot());
  }

  async make(step: Move): Promise<void> {
    switch (step.kind) {
      case 'add':
        return this.#add(step.key, step.refused);
      case 'broker fails':
        this.broker.faults.push(step.fault);
        return undefined;
      case 'store fails':
        this.outbox.failing = step.calls;
        return undefined;
      case 'relay dies':
        this.#lifeOf(step.relay).cut = true;
        this.#lives[step.relay] = await this.#boot();
        return undefined;
      case 'relay leaves': {
        const leaving = this.#lifeOf(step.relay).relay.stop(1_000);
        await this.clock.advanceAsync(3_000);
        await leaving;
        this.#lives[step.relay] = await this.#boot();
        return undefined;
      }
      case 'wait':
        return this.clock.advanceAsync(step.ms);
    }
  }

  /** Everything works again, for long enough. */
  async recover(): Promise<void> {
    this.outbox.failing = 0;
    this.broker.faults.length = 0;
    this.broker.refused.clear();
    for (let i = 0; i < 40 && this.outbox.size > 0; i++) await this.clock.advanceAsync(5_000);
    for (const { relay } of this.#lives) {
      const leaving = relay.stop(1_000);
      await this.clock.advanceAsync(3_000);
      await leaving;
    }
  }

  async #add(key: number, refused: boolean): Promise<void> {
    const id = `event-${String(this.added.length)}`;
    if (refused) this.broker.refused.add(id);
    this.added.push({ key, id });
    const [about, value] = [Buffer.from(`key-${String(key)}`), Buffer.from(id)];
    const identity = { eventId: id, eventType: 'noted.v1', topic: 'notes' };
    await this.outbox.store([{ ...identity, key: about, value, headers: [] }]);
    for (const { relay } of this.#lives) relay.wake();
  }

  #lifeOf(relay: number): Life {
    const life = this.#lives[relay];
    if (life === undefined) throw new RangeError('there is no such relay');
    return life;
  }

  async #boot(): Promise<Life> {
    const isCut = (): boolean => life.cut;
    const relay = new OutboxRelay({
      settings: {
        store: mortal(this.outbox, isCut),
        ...{ relay: true, batchSize: 4, pollMs: 1_000, leaseMs: LEASE_MS },
      },
      driver: { producer: this.broker.producer },
      clock: this.clock,
      random: () => 0.5,
      sink: { emit: () => undefined },
      redact: (text) => text,
      owner: `relay-${String(this.#owners++)}`,
      maxBatchRecords: 3,
      requestTimeoutMs: 2_000,
    });
    const life: Life = { relay, cut: false };
    await relay.start();
    return life;
  }
}

/** A store as a process has it that may die: then it hears nothing any more. */
function mortal(store: OutboxStore, isCut: () => boolean): OutboxStore {
  return new Proxy(store, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name);
      if (typeof member !== 'function') return member;
      return async (...args: unknown[]) => {
        if (isCut()) return new Promise(() => undefined);
        const answer: unknown = await Reflect.apply(member, target, args);
        return isCut() ? new Promise(() => undefined) : answer;
      };
    },
  });
}

describe('relays of an outbox', () => {
  it('publish all there is, and of each key nothing before what came earlier', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(move, { maxLength: 40 }), async (moves) => {
        const scenario = new Scenario();
        await scenario.start();
        for (const step of moves) await scenario.make(step);
        await scenario.recover();

        const { added, broker, outbox, clock } = scenario;
        const first = [...new Set(broker.log)];
        expect([...first].sort()).toEqual(added.map(({ id }) => id).sort());
        for (let key = 0; key < KEYS; key++) {
          const ofKey = added.flatMap((event) => (event.key === key ? [event.id] : []));
          expect(first.filter((id) => ofKey.includes(id))).toEqual(ofKey);
        }
        expect(outbox.size).toBe(0);
        expect(clock.pending).toBeLessThanOrEqual(moves.length);
      }),
      { numRuns: 2_000 },
    );
  }, 60_000);
});
