import { errorCodeOf, KafkaErrorCode } from '../wire/kafka-error.js';
import type { WireWriter } from '../wire/wire-writer.js';

/** How a change of one topic went. */
export interface TopicResult {
  readonly topic: string;
  readonly errorCode: number;
  readonly errorMessage: string | null;
}

/** Changes one topic and reports how it went. */
export function topicResult(topic: string, change: () => void): TopicResult {
  try {
    change();
    return { topic, errorCode: KafkaErrorCode.NONE, errorMessage: null };
  } catch (error) {
    const errorMessage = error instanceof Error ? error.message : null;
    return { topic, errorCode: errorCodeOf(error), errorMessage };
  }
}

export function refusedTopic(topic: string, errorCode: number): TopicResult {
  return { topic, errorCode, errorMessage: null };
}

export function writeTopicResults(writer: WireWriter, results: readonly TopicResult[]): void {
  const throttleTimeMs = 0;
  writer.int32(throttleTimeMs).array(results, ({ topic, errorCode, errorMessage }) => {
    writer.string(topic).int16(errorCode).string(errorMessage);
  });
}
