import { DEAD_LETTER_HEADERS, HEADERS } from '../../../lib/contracts/event-headers.js';
import type { Clock } from '../../../lib/contracts/clock.js';
import { EmbeddedKafka } from '../../../lib/testing/embedded-kafka/embedded-kafka.js';
import type { Fault, FaultHandler } from '../../../lib/testing/embedded-kafka/faults/faults.js';
import type {
  RequestOf,
  ResponseOf,
} from '../../../lib/testing/embedded-kafka/requests/request-table.js';
import type { KafkaErrorName } from '../../../lib/testing/embedded-kafka/wire/kafka-error.js';
import type { Ledger } from './ledger.js';
import { BROKERS, SLOTS, type CrashPoint, type Harm, type Troubled } from './plan.js';
import { headersIn } from './record-headers.js';

export const TOPIC = 'orders';
export const GROUP = 'shop';
const DEAD_LETTERS = `${TOPIC}.dlq`;

type Control<Name extends Troubled> = Parameters<FaultHandler<Name>>[1];
type Perform<Name extends Troubled> = (
  request: RequestOf<Name>,
  control: Control<Name>,
) => Promise<ResponseOf<Name> | null>;

export interface BrokersOptions {
  readonly partitions: number;
  readonly clock: Clock;
  readonly ledger: Ledger;
  /** The log of a partition has grown by these events, from that offset on. */
  readonly onWritten: (partition: number, offset: number, eventIds: readonly string[]) => void;
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
    const { clock, partitions } = options;
    const kafka = await EmbeddedKafka.start({
      brokers: BROKERS,
      clock,
      topics: [{ topic: TOPIC, partitions }, { topic: DEAD_LETTERS }],
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

  failFetch(partition: number, error: KafkaErrorName, times: number): void {
    this.#faults.push(this.kafka.failFetch({ topic: TOPIC, partition }, error, { times }));
  }

  moveLeader(partition: number, nodeId: number): void {
    if (!this.#down.has(nodeId)) this.kafka.moveLeader(TOPIC, partition, nodeId);
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
    const asked = request.topics.flatMap(({ partitions }) => partitions);
    const answered = answer?.topics.flatMap(({ partitions }) => partitions) ?? [];
    asked.forEach(({ partition, offset }, i) => {
      if (answered[i]?.errorCode !== 0) return;
      this.options.ledger.committed({ partition, offset: Number(offset) });
    });
    this.#crashes(control, 'after the commit');
    return answer;
  };

  readonly #produce: Perform<'Produce'> = async (request, control) => {
    if (this.#crashes(control, 'before the dead letter')) return null;
    const answer = await control.handle(request);
    request.topics.forEach(({ topic, partitions: [asked] }, i) => {
      const [answered] = answer?.topics[i]?.partitions ?? [];
      if (answered?.errorCode !== 0 || !asked?.records) return;
      const records = headersIn(asked.records);
      if (topic === DEAD_LETTERS) for (const headers of records) this.#deadLettered(headers);
      else this.#written(asked.partition, Number(answered.baseOffset), records);
    });
    this.#crashes(control, 'after the dead letter');
    return answer;
  };

  #written(
    partition: number,
    offset: number,
    records: readonly ReadonlyMap<string, string>[],
  ): void {
    const ids = records.map((headers) => headers.get(HEADERS.eventId) ?? '');
    this.options.onWritten(partition, offset, ids);
  }

  #deadLettered(headers: ReadonlyMap<string, string>): void {
    const partition = Number(headers.get(DEAD_LETTER_HEADERS.originalPartition));
    const offset = Number(headers.get(DEAD_LETTER_HEADERS.originalOffset));
    const handler = headers.get(DEAD_LETTER_HEADERS.handler) ?? null;
    this.options.ledger.deadLettered({ partition, offset }, handler);
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
