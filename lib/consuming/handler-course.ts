import type { DeadLetterReason } from '../failure/dead-letter-reason.js';
import type { HeldClaim } from '../idempotency/claims.js';
import type { CompletedState } from '../idempotency/idempotency-store.js';
import type { ClaimHolder, JoinedClaim } from '../idempotency/joined-claim.js';
import type { HandlerRef } from '../observability/observer.js';
import type { Claimed } from './claimed.js';
import type { Delivery } from './delivery.js';
import type { HandlerRuntime } from './handler-runtime.js';
import type { OwnedPartition } from './owned-partition.js';
import type { RecordEnding } from './record-ending.js';

/** What a course begins with. */
export interface CourseStart {
  readonly groupId: string;
  readonly delivery: Delivery;
  readonly runtime: HandlerRuntime;
  /** The event's type as the handler knows it. */
  readonly eventType: string;
  /** Of the claim. */
  readonly key: string;
  readonly ending: RecordEnding;
}

/** Why a record is given up, and where it goes. */
export interface Verdict {
  readonly reason: DeadLetterReason;
  readonly error: Error;
  /**
   * Until when it waits in the retry topic, in milliseconds since the Unix epoch; null: it goes to the
   * dead-letter topic, as it does where it is too large for the retry topic.
   */
  readonly parkedUntil: number | null;
}

/** One handler's course over one record: what its passes know of each other. */
export class HandlerCourse implements ClaimHolder {
  readonly ref: HandlerRef;
  /** Failed attempts so far, those before a retry topic included; a shared store also counts those before a restart. */
  attempts: number;
  firstFailedAt: Date | null;
  /** Of its claims: how often it was parked before. */
  readonly level: number;
  /** Whether claims are taken for it; handlers of whole topics say so themselves, once they run. */
  claims: boolean;
  /** Why the latest call did not run the handler's body; null when it did. */
  turnedAway: Exclude<Claimed, 'go'> | null = null;
  /** Held now; the claim step's own. */
  claim: HeldClaim | null = null;
  /** How the crash guard has it run; its own. */
  watched: 'together' | 'alone' | null = null;
  /** Of a claim that was asked for and not answered: it may have been granted. The claim step's own. */
  askedWith: string | null = null;
  /** The latest call, while it has not come back although its time is long over. */
  overdue: Promise<void> | null = null;
  /** The era of its handler's outage breaker in which its failure was counted; null for none. */
  countedIn: number | null = null;
  /** Whether it has waited for its place in the handler's rate, and not run since. */
  hasPlace = false;
  /** Whether it tries, for all that are held, if an outage is over. */
  probing = false;
  /** What its claim was when it was asked for, in vain: done, or given up before, under this position or another. */
  found: CompletedState | null = null;
  /** Whether its handler may have committed its mark itself. */
  joined = false;
  /** By which its mark, once done, outlives the handler's window. */
  longerMs = 0;
  /** Set once the record is given up: what is left is to have it acknowledged elsewhere. */
  verdict: Verdict | null = null;
  /** Failed tries in a row to reach the store or the DLQ, for the backoff. */
  setbacks = 0;
  /** What the latest attempt was given; undefined when it could not be read. */
  payload: unknown = undefined;
  /** Whether it holds one of the handler's tickets; the dispatcher takes the first. */
  #ticket = true;
  #remembers = false;
  /** How long the latest attempt took. */
  durationMs = 0;

  readonly delivery: Delivery;
  readonly runtime: HandlerRuntime;
  /** Of the claim. */
  readonly key: string;
  readonly ending: RecordEnding;

  constructor({ groupId, delivery, runtime, eventType, key, ending }: CourseStart) {
    this.delivery = delivery;
    this.runtime = runtime;
    this.key = key;
    this.ending = ending;
    const { envelope, parked } = delivery;
    this.level = parked === null ? 0 : parked.level;
    this.attempts = parked === null ? 0 : parked.attempts;
    this.firstFailedAt = parked === null ? null : parked.firstFailedAt;
    this.claims = runtime.handler.wholeTopic === undefined;
    this.ref = {
      groupId,
      topic: envelope.topic,
      partition: envelope.partition,
      offset: envelope.record.offset,
      handlerId: runtime.id,
      eventId: envelope.eventId,
      eventType,
    };
  }

  /** Takes over the attempts before a restart, once: what fails from then on is counted here. */
  remember(attempts: number): void {
    if (!this.#remembers) this.attempts = Math.max(this.attempts, attempts);
    this.#remembers = true;
  }

  /** The attempts since it was delivered count for nothing. */
  forgive(): void {
    this.attempts = this.delivery.parked?.attempts ?? 0;
  }

  /** Gives the ticket back, if it is held: others may be claimed for the handler meanwhile. */
  returnTicket(): void {
    if (!this.#ticket) return;
    this.#ticket = false;
    this.runtime.tickets.release();
  }

  /** Waits until there is a ticket again; false, without one, when the partition must stop first. */
  async takeTicket(): Promise<boolean> {
    if (this.#ticket) return true;
    this.#ticket = await this.runtime.tickets.acquire(this.partition);
    return this.#ticket;
  }

  /** Whether a process may have died of it, and the store is to know before it runs again. */
  get suspect(): boolean {
    const { claim } = this;
    return claim?.started === false && claim.suspicion !== null;
  }

  joinClaim(): JoinedClaim | null {
    const { claim, level } = this;
    const { idempotency } = this.runtime.handler.settings;
    const store = claim?.store ?? null;
    if (claim === null || store === null || idempotency === null) return null;
    this.joined = true;
    const { key, token } = claim;
    return { store, key, token, level, retentionMs: idempotency.windowMs + this.longerMs };
  }

  get partition(): OwnedPartition {
    return this.delivery.record.partition;
  }
}
