import { DriverError } from '../kafka-events.errors.js';
import type { OutRecord } from '../kafka/records.js';
import type { DeadLetterSettings } from '../kafka-events.options.js';
import { safeRedactor } from './redact.js';
import {
  deadLetterPointer,
  deadLetterRecord,
  type DeadLetter,
  type DeadLetterDetail,
} from './dead-letter.js';

/** Sends one record to a topic; resolves when the broker has acknowledged it, else rejects. */
export type RecordSender = (topic: string, record: OutRecord) => Promise<unknown>;

/** Thrown when a dead letter exceeds its topic's limit even without stack and message. */
export class UndeliverableError extends DriverError {
  constructor(topic: string, cause: unknown) {
    super(
      'too-large',
      `the record does not fit into "${topic}", not even without the error's message: ` +
        'raise max.message.bytes of that topic, or set deadLetter.onUndeliverable to "pointer"',
      { cause },
    );
  }
}

/**
 * Writes dead letters. One call is one try: it resolves only when the broker has the record, so
 * that the offset may move; trying again is the caller's business.
 */
export class DeadLetterWriter {
  constructor(
    private readonly settings: DeadLetterSettings,
    private readonly send: RecordSender,
  ) {}

  /** The dead-letter topic of a physical topic. */
  topicFor(topic: string): string {
    return this.settings.topicName(topic);
  }

  /**
   * @throws UndeliverableError when it is too large in every form allowed.
   * @throws DriverError for anything else that kept it from being acknowledged.
   */
  async write(letter: DeadLetter): Promise<void> {
    const topic = this.topicFor(letter.origin.topic);
    const { includeStack, onUndeliverable } = this.settings;
    const redact = safeRedactor(this.settings.redact);
    const details: DeadLetterDetail[] = includeStack
      ? ['stack', 'message', 'class']
      : ['message', 'class'];
    let tooLarge: unknown = null;
    for (const detail of details) {
      tooLarge = await this.#trySend(topic, deadLetterRecord(letter, detail, redact));
      if (tooLarge === null) return;
    }
    if (onUndeliverable === 'hold') throw new UndeliverableError(topic, tooLarge);
    await this.send(topic, deadLetterPointer(letter, redact));
  }

  /** Null when acknowledged, the broker's error when the record was too large. */
  async #trySend(topic: string, record: OutRecord): Promise<unknown> {
    try {
      await this.send(topic, record);
      return null;
    } catch (error) {
      if (error instanceof DriverError && error.kind === 'too-large') return error;
      throw error;
    }
  }
}
