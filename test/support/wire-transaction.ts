import { eventually } from './eventually.js';
import { WireClient } from './wire-client.js';
import { only } from './wire-topic.js';

/** A transactional producer that sends only what it is told. */
export class WireTransaction {
  producerId = '-1';
  producerEpoch = -1;

  private constructor(
    readonly client: WireClient,
    readonly transactionalId: string,
  ) {}

  /** A producer that has been given its id. */
  static async start(
    brokers: readonly string[],
    transactionalId: string,
    transactionTimeout = 60_000,
  ): Promise<WireTransaction> {
    const producer = new WireTransaction(await WireClient.connect(brokers), transactionalId);
    // A new cluster makes its transaction log when it is first asked for a coordinator.
    await eventually(() => producer.init(transactionTimeout));
    return producer;
  }

  private async init(transactionTimeout: number): Promise<boolean> {
    const { transactionalId } = this;
    await this.client.send('GroupCoordinator', { groupId: transactionalId, coordinatorType: 1 });
    const answer = await this.client.send<{
      errorCode: number;
      producerId: string;
      producerEpoch: number;
    }>('InitProducerId', { transactionalId, transactionTimeout });
    this.producerId = answer.producerId;
    this.producerEpoch = answer.producerEpoch;
    // The coordinator is loading, or ends what the id's last producer left.
    if ([14, 15, 16, 51].includes(answer.errorCode)) return false;
    if (answer.errorCode !== 0) throw new Error(`InitProducerId: ${String(answer.errorCode)}`);
    return true;
  }

  /** What a produce of this transaction says of itself. */
  get producer() {
    const { transactionalId, producerId, producerEpoch } = this;
    return { transactionalId, producerId, producerEpoch };
  }

  async addPartition(topic: string, partition = 0): Promise<number> {
    const { errors } = await this.retried(() =>
      this.client.send<{
        errors: { partitionErrors: { errorCode: number }[] }[];
      }>('AddPartitionsToTxn', { ...this.producer, topics: [{ topic, partitions: [partition] }] }),
    );
    return only(errors[0]?.partitionErrors).errorCode;
  }

  async addOffsets(groupId: string): Promise<number> {
    const fields = { ...this.producer, groupId };
    return (await this.client.send<{ errorCode: number }>('AddOffsetsToTxn', fields)).errorCode;
  }

  async commitOffset(groupId: string, topic: string, offset: number): Promise<number> {
    const { topics } = await this.client.send<{
      topics: { partitions: { errorCode: number }[] }[];
    }>('TxnOffsetCommit', {
      ...this.producer,
      groupId,
      topics: [{ topic, partitions: [{ partition: 0, offset: String(offset), metadata: null }] }],
    });
    return only(topics[0]?.partitions).errorCode;
  }

  /** Commits or aborts; answers the error code. */
  async end(commit: boolean): Promise<number> {
    const fields = { ...this.producer, transactionResult: commit };
    return (await this.client.send<{ errorCode: number }>('EndTxn', fields)).errorCode;
  }

  /** The markers of the last transaction may still be on their way (CONCURRENT_TRANSACTIONS). */
  private retried<A extends { errors: { partitionErrors: { errorCode: number }[] }[] }>(
    send: () => Promise<A>,
  ): Promise<A> {
    return eventually(async () => {
      const answer = await send();
      return answer.errors[0]?.partitionErrors[0]?.errorCode === 51 ? null : answer;
    });
  }
}
