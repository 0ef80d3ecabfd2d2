import { partitionName } from '../kafka/records.js';
import type { LogLook } from './view-log.js';
import { ViewProgress } from './view-progress.js';
import type { Generation, ViewPosition } from './view-store.js';

/** What this process knows of one generation, and its part in building it. */
export class RunningGeneration {
  readonly progress = new ViewProgress();
  state: Generation['state'] = 'building';
  /** As in the store: by records that have changed rows. */
  stored: readonly ViewPosition[] = [];
  /** While its group is being joined, and from then on; null when this process is not in it. */
  joining: Promise<void> | null = null;
  /** When the group may be joined again. */
  joinAt = 0;
  readonly #gone = new Set<string>();

  constructor(
    readonly id: string,
    /** Its consumer group, of its own. */
    readonly groupId: string,
  ) {}

  /** Takes note of what the store says. */
  update({ state, positions }: Generation): void {
    this.state = state;
    this.stored = positions;
    this.progress.learn(positions);
  }

  /** Where the log ends before what was applied when it was looked at; null where it does not. */
  lostIn({ ends }: LogLook): { readonly end: ViewPosition; readonly applied: bigint } | null {
    for (const { offset: applied, ...place } of this.stored) {
      const name = partitionName(place);
      const end = ends.find((each) => partitionName(each) === name);
      if (end !== undefined && end.offset < applied) return { end, applied };
    }
    return null;
  }

  /** Takes note of a look at the log; answers where records are gone that it has never had, each told once. */
  see({ at, starts, ends, committed }: LogLook): readonly ViewPosition[] {
    this.progress.learn(committed);
    const gone = starts.filter((start) => {
      const name = partitionName(start);
      if (this.#gone.has(name) || this.progress.offsetOf(start) >= start.offset) return false;
      this.#gone.add(name);
      return true;
    });
    this.progress.learn(starts);
    this.progress.look(at, ends);
    return gone;
  }
}
