/** What a virtual timer is known by; it takes the place of Node's. */
export class VirtualTimer {
  active = true;

  constructor(
    /** When it fires, in milliseconds since the Unix epoch, and which of several first. */
    public at: number,
    public turn: number,
    readonly everyMs: number | null,
    readonly fire: () => void,
  ) {}

  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  hasRef(): boolean {
    return true;
  }
}

/** How a run ended: as wanted, out of time, or with nothing left that could ever happen. */
export type RunEnd = 'reached' | 'too-late' | 'nothing-left';

/** Real time: a turn of the event loop runs all promises and next ticks that are due. */
const realTurn = setImmediate;

/**
 * Time that passes only when nothing is left to do at the present moment. A minute of waiting costs
 * nothing, and what happens, happens in one order.
 */
export class VirtualTime {
  #now = 0;
  #turns = 0;
  #immediates: VirtualTimer[] = [];
  /** A binary heap, the next one first. */
  #heap: VirtualTimer[] = [];

  /** Forgets all that was to come. */
  restart(now: number): void {
    this.#now = now;
    this.#turns = 0;
    this.#immediates = [];
    this.#heap = [];
  }

  /**
   * Ends this time for good: what is still under way runs to its next wait, and waits for ever. Without
   * it, what an old world does in its last moments would be seen in a new one.
   */
  async end(): Promise<void> {
    do {
      this.restart(this.#now);
      await new Promise<void>((resolve) => realTurn(resolve));
    } while (this.#turns > 0);
  }

  /** In whole milliseconds, as `Date.now` answers. */
  now(): number {
    return Math.floor(this.#now);
  }

  /** As `performance.now` does, not rounded. */
  exactly(): number {
    return this.#now;
  }

  readonly setTimeout = (fn: () => void, ms = 1): VirtualTimer =>
    this.#add(new VirtualTimer(this.#now + atLeast(ms), this.#turns++, null, fn));

  readonly setInterval = (fn: () => void, ms = 1): VirtualTimer =>
    this.#add(new VirtualTimer(this.#now + atLeast(ms), this.#turns++, atLeast(ms), fn));

  readonly setImmediate = (fn: () => void): VirtualTimer => {
    const timer = new VirtualTimer(this.#now, this.#turns++, null, fn);
    this.#immediates.push(timer);
    return timer;
  };

  readonly clear = (timer: VirtualTimer | null | undefined): void => {
    if (timer) timer.active = false;
  };

  /** Finer than Node's timers: what the network delivers is not rounded to milliseconds. */
  at(moment: number, fn: () => void): void {
    this.#add(new VirtualTimer(moment, this.#turns++, null, fn));
  }

  /** Lets things happen, one after the other, until `reached` says so. */
  async run(reached: () => boolean, limitMs: number): Promise<RunEnd> {
    const latest = this.#now + limitMs;
    for (;;) {
      await new Promise<void>((resolve) => realTurn(resolve));
      if (reached()) return 'reached';
      if (this.#immediates.length > 0) {
        const due = this.#immediates;
        this.#immediates = [];
        for (const timer of due) if (timer.active) timer.fire();
        continue;
      }
      const next = this.#next();
      if (next === undefined) return 'nothing-left';
      if (next.at > latest) {
        this.#add(next);
        this.#now = latest;
        return 'too-late';
      }
      this.#now = Math.max(this.#now, next.at);
      this.#fire(next);
    }
  }

  #fire(timer: VirtualTimer): void {
    if (timer.everyMs === null) {
      timer.active = false;
    } else {
      timer.at = this.#now + timer.everyMs;
      timer.turn = this.#turns++;
      this.#add(timer);
    }
    timer.fire();
  }

  #add(timer: VirtualTimer): VirtualTimer {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isBefore(above, timer)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = timer;
    return timer;
  }

  /** Takes out the next active timer. */
  #next(): VirtualTimer | undefined {
    for (;;) {
      const first = this.#heap[0];
      const last = this.#heap.pop();
      if (first === undefined || last === undefined) return undefined;
      if (first !== last) this.#sink(last);
      if (first.active) return first;
    }
  }

  #sink(timer: VirtualTimer): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const [one, other] = [heap[left], heap[left + 1]];
      if (one === undefined) break;
      const first = other !== undefined && isBefore(other, one) ? other : one;
      if (isBefore(timer, first)) break;
      heap[at] = first;
      at = first === one ? left : left + 1;
    }
    heap[at] = timer;
  }
}

function isBefore(one: VirtualTimer, other: VirtualTimer): boolean {
  return one.at === other.at ? one.turn < other.turn : one.at < other.at;
}

/** As Node's timers, which know neither zero nor nonsense. */
function atLeast(ms: number): number {
  return ms >= 1 ? ms : 1;
}
