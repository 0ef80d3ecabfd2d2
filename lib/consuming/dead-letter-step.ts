import type { Clock } from '../contracts/clock.js';
import type { DeadLetterReason } from '../failure/dead-letter-reason.js';
import { UndeliverableError, type DeadLetterWriter } from '../failure/dead-letter-writer.js';
import { toError } from '../kafka-events.errors.js';
import type { SignalSink } from '../observability/observer.js';
import { recordRef, type PlacedRecord } from './delivery.js';

/** Why a record is given up, and by whom. */
export interface GivenUp {
  /** Null where no handler was chosen yet. */
  readonly handlerId: string | null;
  readonly reason: DeadLetterReason;
  readonly error: Error;
  readonly attempts: number;
  readonly firstFailedAt: Date | null;
}

/** Writes a record to the dead-letter topic, once, and says whether the broker has it. */
export class DeadLetterStep {
  constructor(
    private readonly groupId: string,
    private readonly writer: DeadLetterWriter,
    private readonly signals: SignalSink,
    private readonly clock: Clock,
  ) {}

  /** True when acknowledged: only then may the offset move. Never rejects. */
  async write(consumed: PlacedRecord, givenUp: GivenUp): Promise<boolean> {
    const { groupId } = this;
    const { topic, partition } = consumed.partition;
    const ref = recordRef(groupId, consumed);
    const deadLetterTopic = this.writer.topicFor(topic);
    const failedAt = this.clock.wallTime();
    try {
      await this.writer.write({
        ...givenUp,
        record: consumed.record,
        origin: { topic, partition },
        groupId,
        firstFailedAt: givenUp.firstFailedAt ?? failedAt,
        failedAt,
      });
    } catch (thrown) {
      const error = toError(thrown);
      const signal = error instanceof UndeliverableError ? 'undeliverable' : 'deadLetterFailed';
      this.signals.emit(signal, { ...ref, deadLetterTopic, error });
      return false;
    }
    const { handlerId, reason, error } = givenUp;
    this.signals.emit('deadLettered', { ...ref, handlerId, reason, deadLetterTopic, error });
    return true;
  }
}
