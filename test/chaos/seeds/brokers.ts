import type { Clock } from '../../../lib/contracts/clock.js';
import type { TopicPartition } from '../../../lib/kafka/records.js';
import { EmbeddedKafka } from '../../../lib/testing/embedded-kafka/embedded-kafka.js';
import type { Fault, FaultHandler } from '../../../lib/testing/embedded-kafka/faults/faults.js';
import type {
  RequestOf,
  ResponseOf,
} from '../../../lib/testing/embedded-kafka/requests/request-table.js';
import type { KafkaErrorName } from '../../../lib/testing/embedded-kafka/wire/kafka-error.js';
import type { Ledger } from './ledger.js';
import { BROKERS, SLOTS, type CrashPoint } from './moves.js';
import type { Plan } from './plan.js';
import {
  deadLetterOf,
  eventIdOf,
  headersIn,
  parkedCopyOf,
  type Headers,
} from './record-headers.js';
import { DEAD_LETTERS, GROUP, RETRY_TOPIC, TOPIC, type Place } from './topics.js';
import type { Harm, Troubled } from './trouble.js';

type Control<Name extends Troubled> = Parameters<FaultHandler<Name>>[1];
type Perform<Name extends Troubled> = (
  request: RequestOf<Name>,
  control: Control<Name>,
) => Promise<ResponseOf<Name> | null>;

export interface BrokersOptions {
  readonly plan: Plan;
  readonly clock: Clock;
  readonly ledger: Ledger;
  /** Whether the member in that slot ends there. */
  readonly crashesAt: (slot: number, point: CrashPoint) => boolean;
}

/** The embedded Kafka of one seed: it tells the ledger what it has accepted, and can be troubled. */
export class Brokers {
  #troubles: { readonly request: Troubled; readonly harm: Harm; times: number }[] = [];
  #faults: Fault[] = [];
  /** Requests that were harmed. */
  troublesMet = 0;
  readonly #down = new Set<number>();

  private constructor(
    private readonly kafka: EmbeddedKafka,
    private readonly options: BrokersOptions,
  ) {
    this.#arm('OffsetCommit', this.#commit);
    this.#arm('Produce', this.#produce);
    this.#arm('Heartbeat');
    this.#arm('JoinGroup');
    this.#arm('SyncGroup');
    this.#arm('Fetch');
    this.#arm('OffsetFetch');
    this.#arm('FindCoordinator');
    this.#arm('Metadata');
  }

  static async start(options: BrokersOptions): Promise<Brokers> {
    const { clock, plan } = options;
    const { retryTopic } = plan.handling;
    const parkedIn =
      retryTopic === null ? [] : [{ topic: RETRY_TOPIC, partitions: retryTopic.partitions }];
    const kafka = await EmbeddedKafka.start({
      brokers: BROKERS,
      clock,
      topics: [{ topic: TOPIC, partitions: plan.partitions }, { topic: DEAD_LETTERS }, ...parkedIn],
      listeners: ['writer', ...Array.from({ length: SLOTS }, (_, slot) => listenerOf(slot))].map(
        (name) => ({ name }),
      ),
    });
    return new Brokers(kafka, options);
  }

  /** Addresses for the writer of records, or for the member of a slot: each on ports of its own. */
  addresses(slot: number | 'writer'): string[] {
    return this.kafka.brokersOf(slot === 'writer' ? slot : listenerOf(slot));
  }

  /** For people. */
  get group(): unknown {
    const group = this.kafka.group(GROUP);
    return (
      group && {
        state: group.state,
        generation: group.generationId,
        members: group.members.map(({ memberId }) => memberId),
      }
    );
  }

  endOf(partition: number): bigint {
    return this.kafka.endOffsets(TOPIC)[partition] ?? 0n;
  }

  trouble(request: Troubled, harm: Harm, times: number): void {
    this.#troubles.push({ request, harm, times });
  }

  failFetch(of: TopicPartition, error: KafkaErrorName, times: number): void {
    this.#faults.push(this.kafka.failFetch(of, error, { times }));
  }

  moveLeader({ topic, partition }: TopicPartition, nodeId: number): void {
    if (!this.#down.has(nodeId)) this.kafka.moveLeader(topic, partition, nodeId);
  }

  moveCoordinator(nodeId: number): void {
    if (!this.#down.has(nodeId)) this.kafka.moveCoordinator(GROUP, nodeId);
  }

  rebalance(): void {
    if (this.kafka.group(GROUP) !== undefined) this.kafka.triggerRebalance(GROUP);
  }

  /** Ends the session of the member in that slot, if it has one. */
  expire(slot: number): void {
    for (const { memberId, clientId } of this.kafka.group(GROUP)?.members ?? []) {
      if (slotOf(clientId) === slot) this.kafka.expireMember(GROUP, memberId);
    }
  }

  /** One at a time: without a majority there is nothing to see. */
  takeDown(nodeId: number): void {
    if (this.#down.size > 0) return;
    this.#down.add(nodeId);
    void this.kafka.stopBroker(nodeId);
  }

  bringUp(nodeId: number): void {
    if (this.#down.delete(nodeId)) void this.kafka.startBroker(nodeId);
  }

  calm(): void {
    this.#troubles = [];
    for (const fault of this.#faults) fault.remove();
    for (const nodeId of this.#down) this.bringUp(nodeId);
  }

  stop(): void {
    void this.kafka.stop();
  }

  #arm<Name extends Troubled>(
    name: Name,
    perform: Perform<Name> = (request, control) => control.handle(request),
  ): void {
    const decide: FaultHandler<Name> = async (request, control) => {
      const harm = slotOf(control.clientId) === null ? null : this.#harmTo(name);
      if (harm?.kind === 'refuse') return control.fail(harm.error);
      if (harm?.kind === 'close-before') return control.closeConnection();
      const answer = await perform(request, control);
      if (harm?.kind === 'close-after') return control.closeConnection();
      if (harm?.kind === 'swallow') return control.swallow();
      return control.answer(answer);
    };
    this.kafka.on(name, decide, { times: Infinity });
  }

  #harmTo(name: Troubled): Harm | null {
    const trouble = this.#troubles.find(({ request, times }) => request === name && times > 0);
    if (trouble === undefined) return null;
    trouble.times--;
    this.troublesMet++;
    this.options.ledger.tell(`${name} meets ${JSON.stringify(trouble.harm)}`);
    return trouble.harm;
  }

  readonly #commit: Perform<'OffsetCommit'> = async (request, control) => {
    if (this.#crashes(control, 'before the commit')) return null;
    const answer = await control.handle(request);
    request.topics.forEach(({ topic, partitions }, i) => {
      partitions.forEach(({ partition, offset }, k) => {
        if (answer?.topics[i]?.partitions[k]?.errorCode !== 0) return;
        this.options.ledger.committed(topic, { partition, offset: Number(offset) });
      });
    });
    this.#crashes(control, 'after the commit');
    return answer;
  };

  readonly #produce: Perform<'Produce'> = async (request, control) => {
    const parks = request.topics.some(({ topic }) => topic === RETRY_TOPIC);
    const what = parks ? 'park' : 'dead letter';
    if (this.#crashes(control, `before the ${what}`)) return null;
    const answer = await control.handle(request);
    request.topics.forEach(({ topic, partitions }, i) => {
      partitions.forEach(({ partition, records }, k) => {
        const answered = answer?.topics[i]?.partitions[k];
        if (answered?.errorCode !== 0 || !records) return;
        const from = { partition, offset: Number(answered.baseOffset) };
        this.#appended(topic, from, headersIn(records));
      });
    });
    this.#crashes(control, `after the ${what}`);
    return answer;
  };

  #appended(topic: string, from: Place, records: readonly Headers[]): void {
    const { ledger } = this.options;
    switch (topic) {
      case DEAD_LETTERS:
        for (const { origin, handler } of records.map(deadLetterOf)) {
          ledger.deadLettered(origin, handler);
        }
        break;
      case RETRY_TOPIC:
        ledger.appendedParked(from, records.map(parkedCopyOf));
        break;
      default:
        ledger.appended(from, records.map(eventIdOf));
    }
  }

  #crashes<Name extends Troubled>({ clientId }: Control<Name>, point: CrashPoint): boolean {
    const slot = slotOf(clientId);
    return slot !== null && this.options.crashesAt(slot, point);
  }
}

function listenerOf(slot: number): string {
  return clientIdOf(slot);
}

export function clientIdOf(slot: number): string {
  return `member-${String(slot)}`;
}

function slotOf(clientId: string | null): number | null {
  const [, slot] = /^member-(\d)$/.exec(clientId ?? '') ?? [];
  return slot === undefined ? null : Number(slot);
}
