import { kafkaJsDriver } from '../../../lib/kafka/drivers/kafkajs/kafkajs-driver.js';
import { systemClock } from '../../../lib/contracts/clock.js';
import { connectionTo } from '../../support/kafka-driver.js';
import type { SimulatedNode } from '../../simulation/simulated-node.js';
import { Brokers } from './brokers.js';
import type { HandlingKind } from './handling.js';
import { Ledger } from './ledger.js';
import { Member } from './member.js';
import { SLOTS, type CrashPoint, type Move } from './moves.js';
import type { Plan } from './plan.js';
import { SharedStore } from './shared-store.js';
import { Writer } from './writer.js';

/** From the end of all faults until everything must be done, in virtual time. */
const REST_MS = 10 * 60_000;
/** How soon somebody comes in the place of whoever is gone. */
const REPLACED_AFTER_MS = 2_000;
/** How often an operator lets keys go that wait for a dead letter. */
const RELEASED_EVERY_MS = 4_000;

/** What became of a plan. */
export interface Report {
  readonly handling: HandlingKind;
  readonly violations: readonly string[];
  readonly story: readonly string[];
  readonly effects: number;
  readonly repeatedBeforeComplete: number;
  readonly deadLetters: number;
  /** Records of the retry topic. */
  readonly parked: number;
  /** Processes that ended without leaving, before the end of the plan. */
  readonly deaths: number;
  /** Moves of the plan, and requests that met trouble. */
  readonly faults: number;
  /** From the end of the faults to rest, in virtual milliseconds. */
  readonly restedAfterMs: number;
}

/** A group of members, its brokers and its store, under one plan. */
export class Scenario {
  readonly #ledger: Ledger;
  readonly #store: SharedStore;
  readonly #members: (Member | null)[] = Array.from({ length: SLOTS }, () => null);
  #brokers: Brokers | null = null;
  #crashes: { readonly point: CrashPoint; left: number }[] = [];
  #generation = 0;
  #deaths = 0;

  private constructor(
    private readonly node: SimulatedNode,
    private readonly plan: Plan,
  ) {
    const begin = node.time.now();
    this.#ledger = new Ledger(plan, () => node.time.now() - begin);
    this.#store = new SharedStore(systemClock, this.#ledger);
  }

  /** Plays a plan to its end; the same plan always goes the same way. */
  static async play(node: SimulatedNode, plan: Plan): Promise<Report> {
    node.restart(plan.seed);
    const scenario = new Scenario(node, plan);
    try {
      return await scenario.#play();
    } finally {
      scenario.#end();
      await node.time.end();
    }
  }

  async #play(): Promise<Report> {
    const { plan, node } = this;
    const ledger = this.#ledger;
    const writer = await this.#open();
    for (let i = 0; i < plan.members; i++) this.#join();
    for (const { atMs, records } of plan.bursts) {
      setTimeout(() => {
        writer.write(records);
      }, atMs);
    }
    for (const { atMs, ...move } of plan.moves) {
      setTimeout(() => {
        this.#make(move);
      }, atMs);
    }
    if (plan.handling.holdsKeys)
      setInterval(() => {
        this.#releaseKeys();
      }, RELEASED_EVERY_MS);
    await node.run(() => false, plan.calmAtMs);
    this.#calm();
    const calmAt = node.time.now();
    const end = await node.run(() => writer.pending === 0 && ledger.isAtRest, REST_MS);
    if (end === 'reached') ledger.judge();
    else ledger.violated(`no rest (${end}): ${ledger.unfinished.join(', ')}; ${this.#states()}`);
    return {
      handling: plan.handling.kind,
      violations: ledger.violations,
      story: ledger.story,
      effects: ledger.effects,
      repeatedBeforeComplete: ledger.repeatedBeforeComplete,
      deadLetters: ledger.deadLetters,
      parked: ledger.parked,
      deaths: this.#deaths,
      faults: plan.moves.length + this.#openBrokers.troublesMet,
      restedAfterMs: node.time.now() - calmAt,
    };
  }

  async #open(): Promise<Writer> {
    const starting = Brokers.start({
      plan: this.plan,
      clock: systemClock,
      ledger: this.#ledger,
      crashesAt: (slot, point) => {
        const member = this.#members[slot];
        return member?.alive !== true || this.#crashesAt(member, point);
      },
    });
    void starting.then((brokers) => (this.#brokers = brokers));
    await this.node.run(() => this.#brokers !== null, 1_000);
    const brokers = await starting;
    const connection = connectionTo(brokers.addresses('writer'), { clientId: 'writer' });
    const driver = kafkaJsDriver(connection, () => undefined);
    return new Writer(driver, brokers);
  }

  get #openBrokers(): Brokers {
    if (this.#brokers === null) throw new Error('the brokers are not up');
    return this.#brokers;
  }

  #make(move: Move): void {
    const brokers = this.#openBrokers;
    this.#ledger.tell(`* ${JSON.stringify(move)}`);
    switch (move.kind) {
      case 'kill':
        this.#kill(this.#members[move.slot]);
        break;
      case 'leave':
        this.#leave(move.slot);
        break;
      case 'crash-at':
        this.#crashes.push({ point: move.point, left: move.nth });
        break;
      case 'join':
        this.#join();
        break;
      case 'rebalance':
        brokers.rebalance();
        break;
      case 'expire':
        brokers.expire(move.slot);
        break;
      case 'reset-link':
        this.#members[move.slot]?.link.reset();
        break;
      case 'freeze-link':
        this.#freeze(move.slot, move.ms);
        break;
      case 'move-leader':
        brokers.moveLeader(move.of, move.nodeId);
        break;
      case 'move-coordinator':
        brokers.moveCoordinator(move.nodeId);
        break;
      case 'broker-down':
        brokers.takeDown(move.nodeId);
        setTimeout(() => {
          brokers.bringUp(move.nodeId);
        }, move.ms);
        break;
      case 'trouble':
        brokers.trouble(move.request, move.harm, move.times);
        break;
      case 'fetch-fails':
        brokers.failFetch(move.of, move.error, move.times);
        break;
      case 'store-away':
        this.#store.beAway(move.ms);
        break;
      case 'store-fails':
        this.#store.failNext(move);
    }
  }

  /** A new process in the first free slot. */
  #join(): void {
    const slot = this.#members.findIndex((member) => member?.alive !== true);
    if (slot < 0) return;
    const brokers = this.#openBrokers.addresses(slot);
    const member = new Member({
      plan: this.plan,
      slot,
      name: `m${String(slot)}.${String(this.#generation++)}`,
      brokers,
      link: this.node.link(brokers.map((address) => Number(address.split(':')[1]))),
      clock: systemClock,
      store: this.#store,
      ledger: this.#ledger,
      crashesAt: (dying, point) => this.#crashesAt(dying, point),
    });
    this.#members[slot] = member;
    this.#ledger.tell(`${member.name} starts`);
    member.start();
  }

  #leave(slot: number): void {
    const member = this.#members[slot];
    if (member?.alive !== true || member.leaving) return;
    void member.leave().then(() => {
      this.#replaceLater();
    });
  }

  #freeze(slot: number, ms: number): void {
    const link = this.#members[slot]?.link;
    link?.freeze();
    setTimeout(() => link?.thaw(), ms);
  }

  /** True, and the member is dead, where one was to crash there. */
  #crashesAt(member: Member, point: CrashPoint): boolean {
    const crash = this.#crashes.find((each) => each.point === point && each.left > 0);
    if (crash === undefined || --crash.left > 0) return false;
    this.#ledger.tell(`${member.name} crashes ${point}`);
    this.#kill(member);
    return true;
  }

  #kill(member: Member | null | undefined): void {
    if (member?.alive !== true) return;
    member.kill();
    this.#deaths++;
    this.#replaceLater();
  }

  #replaceLater(): void {
    setTimeout(() => {
      if (this.#members.filter((member) => member?.alive === true).length < this.plan.members) {
        this.#join();
      }
    }, REPLACED_AFTER_MS);
  }

  #releaseKeys(): void {
    for (const member of this.#members) {
      if (member?.alive === true && !member.leaving) member.releaseKeys();
    }
  }

  #calm(): void {
    this.#ledger.tell('* calm');
    this.#crashes = [];
    this.#store.calm();
    this.#openBrokers.calm();
    for (const member of this.#members) member?.link.thaw();
    if (!this.#members.some((member) => member?.alive === true && !member.leaving)) this.#join();
  }

  #states(): string {
    const states = this.#members.flatMap((member) =>
      member?.alive === true ? `${member.name} ${member.state}` : [],
    );
    return [JSON.stringify(this.#openBrokers.group), ...states].join('; ');
  }

  #end(): void {
    for (const member of this.#members) member?.kill();
    this.#brokers?.stop();
  }
}
