import type { Delivery } from './delivery.js';
import type { Route } from './event-router.js';

/** Records started in one turn of the event loop before timers and sockets get theirs. */
const BURST = 256;

/**
 * Starts records that are at the head of their lanes as soon as all their handlers have a ticket.
 *
 * Each route has a queue of its own, so that a handler without tickets holds up only the records
 * that need it. Nothing is decoded, claimed or allocated for a record before it is started.
 */
export class Dispatcher {
  readonly #queues: readonly ReadyQueue[];
  readonly #queueOf = new Map<Route, ReadyQueue>();
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
      for (const queue of this.#queues) this.#drain(queue);
    } finally {
      this.#pumping = false;
    }
  };

  #drain(queue: ReadyQueue): void {
    for (let next = queue.peek(); next !== undefined; next = queue.peek()) {
      const { partition } = next.record;
      if (partition.lost) {
        queue.shift();
        continue;
      }
      if (this.#burst >= BURST) {
        this.#rest();
        return;
      }
      if (!partition.active || !takeTickets(next)) return;
      this.#burst++;
      queue.shift();
      this.start(next);
    }
  }

  /** Lets the event loop turn: without it a long queue of quick handlers starves the heartbeat. */
  #rest(): void {
    if (this.#resting) return;
    this.#resting = true;
    setImmediate(() => {
      this.#resting = false;
      this.#burst = 0;
      this.pump();
    });
  }
}

function takeTickets({ handlers }: Delivery): boolean {
  for (const handler of handlers) if (!handler.tickets.available) return false;
  for (const handler of handlers) handler.tickets.tryAcquire();
  return true;
}

/** First in, first out, without moving the rest at every step. */
class ReadyQueue {
  #items: Delivery[] = [];
  #head = 0;

  push(delivery: Delivery): void {
    this.#items.push(delivery);
  }

  peek(): Delivery | undefined {
    return this.#items[this.#head];
  }

  shift(): void {
    this.#head++;
    if (this.#head * 2 >= this.#items.length && this.#head >= 1024) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    } else if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    }
  }
}
