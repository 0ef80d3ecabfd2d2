import { answerByTopic, type ByTopic } from '../requests/by-topic.js';
import { fetch, type FetchRequest, type FetchResponse } from '../requests/fetch.js';
import { produce, type ProduceRequest, type ProduceResponse } from '../requests/produce.js';
import { KafkaErrorCode, type KafkaErrorName } from '../wire/kafka-error.js';
import type { RequestName } from '../requests/request-table.js';
import type { FaultControl, Verdict } from './fault-control.js';
import type { FaultOptions } from './faults.js';

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

export type PartitionFaultOptions = Pick<FaultOptions<RequestName>, 'times' | 'nodeId'>;

/** What produce and fetch have in common, asking and answering. */
type Partitions<Partition = { readonly partition: number }> = readonly ByTopic<Partition>[];

export function asksFor({ topic, partition }: TopicPartition) {
  return (request: { readonly topics: Partitions }): boolean =>
    only(request.topics, { topic, partition }).length > 0;
}

/** Stores the other partitions' records, and fails that one's. */
export function failProduceOf(target: TopicPartition, error: KafkaErrorName) {
  return async (
    request: ProduceRequest,
    control: FaultControl<ProduceRequest, ProduceResponse>,
  ): Promise<Verdict<ProduceResponse>> => {
    const others = await control.handle({ ...request, topics: without(request.topics, target) });
    if (others === null) return control.answer(null);
    const refused = { ...request, topics: only(request.topics, target) };
    const { topics } = produce.refuse(refused, KafkaErrorCode[error]);
    return control.answer({ ...others, topics: inOrder(request.topics, others.topics, topics) });
  };
}

/** Reads the other partitions, and fails that one; as with any error, nobody waits for records. */
export function failFetchOf(target: TopicPartition, error: KafkaErrorName) {
  return async (
    request: FetchRequest,
    control: FaultControl<FetchRequest, FetchResponse>,
  ): Promise<Verdict<FetchResponse>> => {
    const topics = without(request.topics, target);
    const others = await control.handle({ ...request, topics, maxWaitMs: 0 });
    if (others === null) return control.answer(null);
    const refused = { ...request, topics: only(request.topics, target) };
    const { topics: failed } = fetch.refuse(refused, KafkaErrorCode[error]);
    return control.answer({ ...others, topics: inOrder(request.topics, others.topics, failed) });
  };
}

function only<Partition extends { readonly partition: number }>(
  topics: Partitions<Partition>,
  target: TopicPartition,
): ByTopic<Partition>[] {
  return filtered(topics, (topic, partition) => isTarget(target, topic, partition));
}

function without<Partition extends { readonly partition: number }>(
  topics: Partitions<Partition>,
  target: TopicPartition,
): ByTopic<Partition>[] {
  return filtered(topics, (topic, partition) => !isTarget(target, topic, partition));
}

function isTarget(target: TopicPartition, topic: string, partition: number): boolean {
  return target.topic === topic && target.partition === partition;
}

function filtered<Partition extends { readonly partition: number }>(
  topics: Partitions<Partition>,
  keep: (topic: string, partition: number) => boolean,
): ByTopic<Partition>[] {
  return topics
    .map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.filter(({ partition }) => keep(topic, partition)),
    }))
    .filter(({ partitions }) => partitions.length > 0);
}

/** The answers of both, in the order in which the partitions were asked for. */
function inOrder<Answer extends { readonly partition: number }>(
  asked: Partitions,
  ...answers: readonly Partitions<Answer>[]
): ByTopic<Answer>[] {
  const byName = new Map(
    answers
      .flat()
      .flatMap(({ topic, partitions }) =>
        partitions.map((answer) => [`${topic}/${String(answer.partition)}`, answer] as const),
      ),
  );
  return answerByTopic(asked, ({ partition }, topic) => {
    const answer = byName.get(`${topic}/${String(partition)}`);
    if (answer === undefined) throw new Error(`no answer for ${topic}/${String(partition)}`);
    return answer;
  });
}
