import type { EventContract } from '../contracts/event-contract.js';
import { EventEnvelope } from '../contracts/event-envelope.js';
import { DEAD_LETTER_HEADERS, RETRY_HEADERS } from '../contracts/event-headers.js';
import { fromRetryTopic, type ParkedRecord } from '../failure/parked-record.js';
import type { CommitItem } from '../kafka/driver.js';
import {
  partitionName,
  type InRecord,
  type OutRecord,
  type RecordBatch,
  type TopicPartition,
} from '../kafka/records.js';
import type {
  KafkaEventsObserver,
  RecordRef,
  SignalName,
  Signals,
} from '../observability/observer.js';
import { isProjector } from '../views/projector-id.js';
import { inRecordOf } from './in-record-of.js';
import { sightedRecord, type SightedRecord } from './sighted-record.js';
import type { DriverTap } from './tapped-driver.js';

/** The signals about one event. */
export type SightedName = Extract<
  SignalName,
  | 'published'
  | 'publishFailed'
  | 'handled'
  | 'duplicate'
  | 'attemptFailed'
  | 'parked'
  | 'deadLettered'
  | 'deadLetterFailed'
  | 'undeliverable'
  | 'notOurs'
>;

/** Something that happened to an event. */
export type Sighting<N extends SightedName = SightedName> = {
  [K in N]: {
    readonly name: K;
    readonly signal: Signals[K];
    /** Null when a publish failed. */
    readonly record: SightedRecord | null;
    /** Grows by one from sighting to sighting. */
    readonly number: number;
  };
}[N];

/**
 * What happened to which event, in order: signals of the engine joined with the records they are
 * about, which are seen passing the driver. It remembers all of it until it is cleared.
 */
export class EventJournal implements DriverTap {
  /** Name on the broker of a declared topic. */
  topicName: (topic: string) => string = (topic) => topic;
  #sightings: Sighting[] = [];
  #next = 0;
  #consuming = false;
  /** Per group and partition, what is not committed yet, by offset. */
  readonly #fetched = new Map<string, Map<bigint, EventEnvelope>>();
  /** Of retry topics, by the position they had in their own; for good: nobody says when they end. */
  readonly #parked = new Map<string, EventEnvelope>();
  /** Acknowledged, their signals still to come. */
  readonly #sent: { readonly topic: string; readonly record: SightedRecord }[] = [];
  readonly #waiting = new Set<() => void>();

  readonly observer: KafkaEventsObserver = {
    onPublished: (signal) => {
      this.#add({ name: 'published', signal, record: this.#takeSent(signal) });
    },
    onPublishFailed: (signal) => {
      this.#add({ name: 'publishFailed', signal, record: null });
    },
    onHandled: (signal) => {
      // Nobody means a view who waits for an event to be handled.
      if (isProjector(signal.handlerId)) return;
      this.#add({ name: 'handled', signal, record: this.#recordOf(signal) });
    },
    onDuplicate: (signal) => {
      this.#add({ name: 'duplicate', signal, record: this.#recordOf(signal) });
    },
    onAttemptFailed: (signal) => {
      this.#add({ name: 'attemptFailed', signal, record: this.#recordOf(signal) });
    },
    onParked: (signal) => {
      this.#add({ name: 'parked', signal, record: this.#recordOf(signal) });
    },
    onDeadLettered: (signal) => {
      this.#add({ name: 'deadLettered', signal, record: this.#recordOf(signal) });
    },
    onDeadLetterFailed: (signal) => {
      this.#add({ name: 'deadLetterFailed', signal, record: this.#recordOf(signal) });
    },
    onUndeliverable: (signal) => {
      this.#add({ name: 'undeliverable', signal, record: this.#recordOf(signal) });
    },
    onNotOurs: (signal) => {
      this.#add({ name: 'notOurs', signal, record: this.#recordOf(signal) });
    },
    onPartitionAssigned: () => {
      this.#consuming = true;
    },
  };

  /** Whether a handler's group has had a partition. */
  get consuming(): boolean {
    return this.#consuming;
  }

  /** Sightings from that number on. */
  since(number: number): readonly Sighting[] {
    return this.#sightings.filter((sighting) => sighting.number >= number);
  }

  /** Whether a sighting is about an event of that contract; one without a type may be any of its topic. */
  isAbout(contract: EventContract, { signal, record }: Sighting): boolean {
    const type = 'eventType' in signal ? signal.eventType : (record?.eventType ?? '');
    if (type !== '' && type !== contract.eventType) return false;
    return signal.topic === this.topicName(contract.topic);
  }

  /** Resolves once there is a sighting of that number, or a later one. */
  reaches(number: number): Promise<void> {
    if (this.#next > number) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.add(resolve);
    });
  }

  /** Forgets what was sighted; the numbers go on. */
  clear(): void {
    this.#sightings = [];
  }

  fetched(groupId: string, batch: RecordBatch): void {
    const key = ownedName(groupId, batch);
    const records = this.#fetched.get(key) ?? new Map<bigint, EventEnvelope>();
    this.#fetched.set(key, records);
    for (const record of batch.records) {
      const parked = parkedIn(record);
      if (parked === null) {
        records.set(record.offset, new EventEnvelope(batch, record));
      } else {
        const envelope = new EventEnvelope(parked.origin, parked.record);
        this.#parked.set(positionName(groupId, parked.origin, parked.record.offset), envelope);
      }
    }
  }

  committed(groupId: string, items: readonly CommitItem[]): void {
    for (const item of items) {
      const records = this.#fetched.get(ownedName(groupId, item));
      for (const offset of records?.keys() ?? []) {
        if (offset < item.offset) records?.delete(offset);
      }
    }
  }

  sent(topic: string, records: readonly OutRecord[]): void {
    for (const record of records) {
      // What is set aside is not published: no signal would come for it.
      if (isSetAside(record)) continue;
      const envelope = new EventEnvelope({ topic, partition: -1 }, inRecordOf(record, -1n));
      this.#sent.push({ topic, record: sightedRecord(envelope) });
    }
  }

  #takeSent({ topic, eventId }: Signals['published']): SightedRecord | null {
    const index = this.#sent.findIndex(
      (sent) => sent.topic === topic && sent.record.eventId === eventId,
    );
    return index < 0 ? null : (this.#sent.splice(index, 1)[0]?.record ?? null);
  }

  #recordOf(ref: RecordRef): SightedRecord | null {
    const { groupId, offset } = ref;
    const envelope =
      this.#fetched.get(ownedName(groupId, ref))?.get(offset) ??
      this.#parked.get(positionName(groupId, ref, offset));
    return envelope === undefined ? null : sightedRecord(envelope);
  }

  #add(sighting: Unnumbered): void {
    this.#sightings.push({ ...sighting, number: this.#next++ });
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }
}

type Unnumbered<N extends SightedName = SightedName> = {
  [K in N]: Omit<Sighting<K>, 'number'>;
}[N];

function ownedName(groupId: string, partition: TopicPartition): string {
  return `${groupId} ${partitionName(partition)}`;
}

function positionName(groupId: string, partition: TopicPartition, offset: bigint): string {
  return `${ownedName(groupId, partition)}@${offset.toString()}`;
}

/** Null for a record of no retry topic. */
function parkedIn(record: InRecord): ParkedRecord | null {
  if (record.lastHeader(RETRY_HEADERS.originalTopic) === undefined) return null;
  try {
    return fromRetryTopic(record);
  } catch {
    return null;
  }
}

function isSetAside({ headers }: OutRecord): boolean {
  const names: readonly string[] = [DEAD_LETTER_HEADERS.originalTopic, RETRY_HEADERS.originalTopic];
  return headers.some(([name]) => names.includes(name));
}
