import { brokerRequest } from '../broker-request.js';
import { errorCodeOf, KafkaErrorCode } from '../wire/kafka-error.js';

export interface DeleteTopicsRequest {
  readonly topics: readonly string[];
  readonly timeoutMs: number;
}

export interface DeleteTopicsResponse {
  readonly topics: readonly { readonly topic: string; readonly errorCode: number }[];
}

/** Removes topics with their records and the offsets committed on them. */
export const deleteTopics = brokerRequest<DeleteTopicsRequest, DeleteTopicsResponse>({
  key: 20,
  minVersion: 1,
  maxVersion: 1,

  read: (reader) => ({
    topics: reader.array(() => reader.string()),
    timeoutMs: reader.int32(),
  }),

  write(writer, response) {
    const throttleTimeMs = 0;
    writer.int32(throttleTimeMs).array(response.topics, ({ topic, errorCode }) => {
      writer.string(topic).int16(errorCode);
    });
  },

  handle(request, { cluster }) {
    return {
      topics: request.topics.map((topic) => {
        try {
          cluster.deleteTopic(topic);
          return { topic, errorCode: KafkaErrorCode.NONE };
        } catch (error) {
          return { topic, errorCode: errorCodeOf(error) };
        }
      }),
    };
  },

  refuse: (request, errorCode) => ({
    topics: request.topics.map((topic) => ({ topic, errorCode })),
  }),
});
