import type { WireReader } from '../wire/wire-reader.js';
import type { WireWriter } from '../wire/wire-writer.js';

/** How most requests and answers name partitions: those of one topic together. */
export interface ByTopic<Partition> {
  readonly topic: string;
  readonly partitions: readonly Partition[];
}

export function readByTopic<Partition>(
  reader: WireReader,
  readPartition: () => Partition,
): ByTopic<Partition>[] {
  return reader.array(() => ({ topic: reader.string(), partitions: reader.array(readPartition) }));
}

export function writeByTopic<Partition>(
  writer: WireWriter,
  topics: readonly ByTopic<Partition>[],
  writePartition: (partition: Partition) => void,
): void {
  writer.array(topics, ({ topic, partitions }) => {
    writer.string(topic).array(partitions, writePartition);
  });
}

/** Answers each partition, in the order in which they were asked for. */
export function answerByTopic<Asked, Answer>(
  topics: readonly ByTopic<Asked>[],
  answer: (asked: Asked, topic: string) => Answer,
): ByTopic<Answer>[] {
  return topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map((asked) => answer(asked, topic)),
  }));
}
