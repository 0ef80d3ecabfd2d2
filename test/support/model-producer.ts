import { DriverError, type DriverErrorKind } from '../../lib/kafka-events.errors.js';
import type { ProducerDriver, RecordPosition } from '../../lib/kafka/driver.js';
import type { OutRecord } from '../../lib/kafka/records.js';

/** A record in the model's log. */
export interface StoredRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly record: OutRecord;
}

/**
 * The broker's side of producing, for tests that need faults at exact moments: every send stays
 * unanswered until the test answers it, and an answer may lie about what was stored, as networks do.
 */
export class ModelTopics {
  readonly log: StoredRecord[] = [];
  readonly producers: ModelProducer[] = [];
  /** Sends without an answer, oldest first. */
  readonly unanswered: ModelSend[] = [];
  /** All sends, answered or not. */
  readonly sends: ModelSend[] = [];
  /** Called for every send: set it to have them answered at once. */
  onSend: (send: ModelSend) => void = () => undefined;
  /** What the client under test did that a producer must never do. */
  readonly violations: string[] = [];

  constructor(private readonly partitionOf: (record: OutRecord) => number = () => 0) {}

  readonly producer = (): ModelProducer => {
    const producer = new ModelProducer(this);
    this.producers.push(producer);
    return producer;
  };

  /** The keys of the log of one topic, in order. */
  keys(topic = 'topic'): string[] {
    return this.log.filter((stored) => stored.topic === topic).map(keyOf);
  }

  /** The oldest send without an answer. */
  next(): ModelSend {
    const [send] = this.unanswered;
    if (send === undefined) throw new Error('nothing was sent');
    return send;
  }

  /** @internal */
  store(topic: string, record: OutRecord): RecordPosition {
    const partition = this.partitionOf(record);
    const offset = BigInt(
      this.log.filter((stored) => stored.topic === topic && stored.partition === partition).length,
    );
    this.log.push({ topic, partition, offset, record });
    return { partition, offset };
  }
}

/** A producer as the port promises it; it notes whoever uses it after a failure or twice at once. */
export class ModelProducer implements ProducerDriver {
  closed = false;
  /** True after a failed send: it must never be used again. */
  broken = false;
  busy = false;

  constructor(private readonly topics: ModelTopics) {}

  send(topic: string, records: readonly OutRecord[]): Promise<readonly RecordPosition[]> {
    if (this.broken) this.topics.violations.push('a producer was used after a failed send');
    if (this.closed) this.topics.violations.push('a producer was used after it was closed');
    if (this.busy) this.topics.violations.push('a producer had two sends outstanding');
    this.busy = true;
    return new Promise((resolve, reject) => {
      const send = new ModelSend(this.topics, this, topic, records, resolve, reject);
      this.topics.sends.push(send);
      this.topics.unanswered.push(send);
      this.topics.onSend(send);
    });
  }

  close(): Promise<void> {
    this.closed = true;
    return Promise.resolve();
  }
}

/** One request on its way. */
export class ModelSend {
  constructor(
    private readonly topics: ModelTopics,
    readonly producer: ModelProducer,
    readonly topic: string,
    readonly records: readonly OutRecord[],
    private readonly resolve: (positions: readonly RecordPosition[]) => void,
    private readonly reject: (error: Error) => void,
  ) {}

  get keys(): string[] {
    return this.records.map((record) => keyOf({ record }));
  }

  /** Stores and acknowledges. */
  acknowledge(): void {
    this.answer(this.store());
  }

  /** Acknowledges with positions of the test's own. */
  answer(positions: readonly RecordPosition[]): void {
    this.answered();
    this.resolve(positions);
  }

  /** Fails; what `stored` picks is in the log all the same: all of it when the answer was lost. */
  fail(
    error: DriverErrorKind | Error = 'retryable',
    stored: (record: OutRecord) => boolean = () => false,
  ): void {
    this.answered();
    this.store(stored);
    this.producer.broken = true;
    this.reject(typeof error === 'string' ? new DriverError(error, `scripted: ${error}`) : error);
  }

  /** The broker stores it without an answer, as a request does that a network held back. */
  store(which: (record: OutRecord) => boolean = () => true): RecordPosition[] {
    return this.records.filter(which).map((record) => this.topics.store(this.topic, record));
  }

  private answered(): void {
    this.producer.busy = false;
    const index = this.topics.unanswered.indexOf(this);
    if (index < 0) throw new Error('the send was answered already');
    this.topics.unanswered.splice(index, 1);
  }
}

export function keyOf({ record }: { readonly record: OutRecord }): string {
  return record.key?.toString() ?? '';
}
