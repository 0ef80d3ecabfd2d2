import type { Delivery } from '../delivery.js';
import type { HandlerCourse } from '../handler-course.js';
import type { HandlerCourses } from '../handler-courses.js';
import type { HandlerRuntime } from '../handler-runtime.js';
import type { OwnedPartition } from '../owned-partition.js';
import type { RecordEnding } from '../record-ending.js';
import { BatchLoop } from './batch-loop.js';
import type { BatchSteps } from './batch-run.js';

/** Brings the records of batch topics to the loops of their partition, one for each handler. */
export class BatchLoops {
  /** A regained partition is a new object, and what was lost goes with the old one. */
  readonly #loops = new WeakMap<OwnedPartition, Map<HandlerRuntime, BatchLoop>>();

  constructor(
    private readonly courses: HandlerCourses,
    private readonly steps: BatchSteps,
  ) {}

  /** Takes a record, which comes in the order of offsets; `ending` is told when all its handlers have ended. */
  take(delivery: Delivery, ending: RecordEnding): void {
    this.courses.open(delivery, ending, this.#add);
  }

  readonly #add = (course: HandlerCourse): void => {
    this.#loopOf(course).add(course);
  };

  #loopOf({ partition, runtime }: HandlerCourse): BatchLoop {
    let loops = this.#loops.get(partition);
    if (loops === undefined) {
      loops = new Map();
      this.#loops.set(partition, loops);
    }
    let loop = loops.get(runtime);
    if (loop === undefined) {
      const { batch } = runtime.handler.settings;
      if (batch === null) throw new TypeError(`${runtime.id} takes no batches`);
      loop = new BatchLoop(partition, runtime, batch, this.steps);
      loops.set(runtime, loop);
    }
    return loop;
  }
}
