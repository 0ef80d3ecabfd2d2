import type { Delivery } from './delivery.js';
import type { Route } from './event-router.js';
import type { HandlerRuntime } from './handler-runtime.js';

/** Records started in one turn of the event loop before timers and sockets get theirs. */
const BURST = 256;

/**
 * Starts records that are at the head of their lanes as soon as all their handlers have a ticket.
 *
 * Each route has a queue of its own, and they take turns: a handler without tickets holds up only
 * the records that need it, and a record that needs several handlers is not passed for ever by
 * those that need one: while it waits, one ticket of each is kept for it. Nothing is decoded,
 * claimed or allocated for a record before it is started.
 */
export class Dispatcher {
  readonly #queues: readonly ReadyQueue[];
  readonly #queueOf = new Map<Route, ReadyQueue>();
  /** Whose tickets are kept in this round; one array for all rounds. */
  readonly #kept: HandlerRuntime[] = [];
  #turn = 0;
  #burst = 0;
  #pumping = false;
  #resting = false;

  constructor(
    routes: readonly Route[],
    private readonly start: (delivery: Delivery) => void,
  ) {
    for (const route of routes) this.#queueOf.set(route, new ReadyQueue());
    this.#queues = [...this.#queueOf.values()];
  }

  /** Takes a record that is ready to start. */
  enqueue(delivery: Delivery): void {
    this.#queueOf.get(delivery.route)?.push(delivery);
    this.pump();
  }

  /** Starts what can be started; called whenever a ticket or a partition becomes free. */
  readonly pump = (): void => {
    if (this.#pumping || this.#resting) return;
    this.#pumping = true;
    try {
      while (this.#startRound());
    } finally {
      this.#pumping = false;
    }
  };

  /** Gives each queue one chance, the one whose turn it is first; true when something started. */
  #startRound(): boolean {
    const { length } = this.#queues;
    const first = this.#turn;
    const kept = this.#kept;
    if (kept.length > 0) kept.length = 0;
    let started = false;
    for (let i = 0; i < length; i++) {
      const queue = this.#queues[(first + i) % length];
      const next = queue?.head();
      if (queue === undefined || next === undefined) {
        if (i === 0) this.#turn = (first + 1) % length;
        continue;
      }
      if (!next.record.partition.active) continue;
      if (this.#burst >= BURST) {
        this.#rest();
        return false;
      }
      if (!hasTickets(next, kept)) {
        // Nobody comes after the last: the array is spared.
        if (i < length - 1) kept.push(...next.handlers);
        continue;
      }
      if (i === 0) this.#turn = (first + 1) % length;
      for (const handler of next.handlers) handler.tickets.tryAcquire();
      this.#burst++;
      queue.shift();
      this.start(next);
      started = true;
    }
    return started;
  }

  /** Lets the event loop turn: without it a long queue of quick handlers starves the heartbeat. */
  #rest(): void {
    this.#resting = true;
    setImmediate(() => {
      this.#resting = false;
      this.#burst = 0;
      this.pump();
    });
  }
}

/** Whether all handlers have a ticket to spare beyond the one kept for a record that waits longer. */
function hasTickets({ handlers }: Delivery, kept: readonly HandlerRuntime[]): boolean {
  for (const handler of handlers) {
    if (!handler.tickets.canSpare(kept.includes(handler) ? 1 : 0)) return false;
  }
  return true;
}

/** Started records still in the array before it is made anew: doing so at each would cost more than they do. */
const COMPACT_AT = 1024;

/** First in, first out, without moving the rest at every step. */
class ReadyQueue {
  #items: (Delivery | undefined)[] = [];
  #head = 0;

  push(delivery: Delivery): void {
    this.#items.push(delivery);
  }

  /** The first whose partition is still ours. */
  head(): Delivery | undefined {
    let head = this.#items[this.#head];
    while (head?.record.partition.lost === true) {
      this.shift();
      head = this.#items[this.#head];
    }
    return head;
  }

  shift(): void {
    // Started: its record must not be held for as long as the array lives.
    this.#items[this.#head++] = undefined;
    if (this.#head * 2 >= this.#items.length && this.#head >= COMPACT_AT) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }
}
