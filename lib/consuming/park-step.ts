import type { Clock } from '../contracts/clock.js';
import type { RecordSender } from '../failure/dead-letter-writer.js';
import { toRetryTopic } from '../failure/parked-record.js';
import { DriverError, toError } from '../kafka-events.errors.js';
import type { SignalSink } from '../observability/observer.js';
import type { HandlerCourse } from './handler-course.js';

export interface ParkStepOptions {
  readonly groupId: string;
  /** The group's retry topic of a physical topic. */
  readonly topicFor: (topic: string) => string;
  readonly redact: (text: string) => string;
}

/** Writes a record to its retry topic, once, and says whether the broker has it. */
export class ParkStep {
  constructor(
    private readonly options: ParkStepOptions,
    private readonly send: RecordSender,
    private readonly signals: SignalSink,
    private readonly clock: Clock,
  ) {}

  /** Null when it could not be written: the offset must not move. Never rejects. */
  async write(
    course: HandlerCourse,
    error: Error,
    dueAt: number,
  ): Promise<'parked' | 'too-large' | null> {
    const { groupId, topicFor, redact } = this.options;
    const { ref, attempts, delivery } = course;
    const { topic, partition, handlerId } = ref;
    const { record } = delivery.envelope;
    const now = this.clock.wallTime();
    const firstFailedAt = course.firstFailedAt ?? now;
    const level = course.level + 1;
    const origin = { topic, partition };
    const next = { origin, record, groupId, handlerId, level, dueAt, attempts, firstFailedAt };
    const retryTopic = topicFor(topic);
    try {
      await this.send(retryTopic, toRetryTopic(next, error, now.getTime(), redact));
    } catch (thrown) {
      if (thrown instanceof DriverError && thrown.kind === 'too-large') return 'too-large';
      this.signals.emit('parkFailed', { ...ref, retryTopic, error: toError(thrown) });
      return null;
    }
    this.signals.emit('parked', { ...ref, retryTopic, level, dueAt });
    return 'parked';
  }

  /** How long a parked record still waits, rounded up to a power of two: stores keep few durations. */
  waitMs(dueAt: number): number {
    return 2 ** Math.ceil(Math.log2(Math.max(1, dueAt - this.clock.wallTime().getTime())));
  }
}
