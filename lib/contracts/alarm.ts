import type { Clock } from './clock.js';

/** A wait that can be cut short; a ring while nobody waits ends the next wait at once. */
export class Alarm {
  #rung = false;
  #end: (() => void) | null = null;

  constructor(private readonly clock: Clock) {}

  ring(): void {
    if (this.#end === null) this.#rung = true;
    else this.#end();
  }

  wait(ms: number): Promise<void> {
    if (this.#rung) {
      this.#rung = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const end = (): void => {
        this.clock.clearTimeout(timer);
        this.#end = null;
        resolve();
      };
      const timer = this.clock.setTimeout(end, ms);
      this.#end = end;
    });
  }
}
