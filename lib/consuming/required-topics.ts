import { MissingTopicsError } from '../kafka-events.errors.js';
import type { KafkaEventsSettings } from '../kafka-events.options.js';
import type { AdminDriver, TopicDescription, TopicSpec } from '../kafka/driver.js';
import { topicsOf, type BoundHandler } from './event-handler.js';
import { retryTopicsOf } from './retry-topics.js';

/** What dead-letter and retry topics must hold beyond the largest record: our own headers. */
const OVERHEAD_BYTES = 64 * 1024;

/** A topic the handlers cannot do without; where records are set aside they must fit with our headers. */
interface RequiredTopic {
  readonly topic: string;
  readonly minMessageBytes: number | null;
}

/**
 * Checks, or creates, the topics that handlers, their retries and dead letters need.
 *
 * @throws MissingTopicsError naming those missing or too small, and the commands that mend it.
 */
export async function ensureTopics(
  settings: KafkaEventsSettings,
  handlers: readonly BoundHandler[],
  admin: AdminDriver,
): Promise<void> {
  if (settings.topics === 'unchecked') return;
  const required = requiredTopics(settings, handlers);
  if (settings.topics === 'create') await create(settings, required, admin);
  const found = await admin.describeTopics(required.map(({ topic }) => topic));
  const problems = required.flatMap((topic) => problemOf(topic, settings, found) ?? []);
  if (problems.length === 0) return;
  throw new MissingTopicsError(
    problems.map(({ topic }) => topic),
    `KafkaEventsModule cannot start, ${String(problems.length)} topic(s) are missing or too small:\n` +
      problems.map(({ topic, mend }) => `  - ${topic}: ${mend}`).join('\n') +
      '\nOr set topics: "create" to have missing topics created at boot.',
  );
}

function requiredTopics(
  settings: KafkaEventsSettings,
  handlers: readonly BoundHandler[],
): readonly RequiredTopic[] {
  const { topicName, deadLetter, producer } = settings;
  const sources = new Set(handlers.flatMap((handler) => topicsOf(handler, topicName)));
  const retries = new Set(handlers.flatMap((handler) => retryTopicsOf(handler, settings)));
  const minMessageBytes = producer.maxRecordBytes + OVERHEAD_BYTES;
  return [
    ...[...sources].flatMap((topic) => [
      { topic, minMessageBytes: null },
      { topic: deadLetter.topicName(topic), minMessageBytes },
    ]),
    ...[...retries].map((topic) => ({ topic, minMessageBytes })),
  ];
}

async function create(
  { createPartitions }: KafkaEventsSettings,
  required: readonly RequiredTopic[],
  admin: AdminDriver,
): Promise<void> {
  const specs = required.map(({ topic, minMessageBytes }): TopicSpec => {
    const spec = { topic, partitions: createPartitions };
    if (minMessageBytes === null) return spec;
    return { ...spec, config: { 'max.message.bytes': String(minMessageBytes) } };
  });
  await admin.createTopics(specs);
}

function problemOf(
  { topic, minMessageBytes }: RequiredTopic,
  { createPartitions }: KafkaEventsSettings,
  found: readonly TopicDescription[],
): { readonly topic: string; readonly mend: string } | null {
  const description = found.find((each) => each.topic === topic);
  const config =
    minMessageBytes === null ? '' : ` --config max.message.bytes=${String(minMessageBytes)}`;
  if (description === undefined) {
    return {
      topic,
      mend: `missing. kafka-topics.sh --bootstrap-server … --create --topic ${topic} --partitions ${String(createPartitions)}${config}`,
    };
  }
  const { maxMessageBytes } = description;
  if (minMessageBytes === null || maxMessageBytes === null || maxMessageBytes >= minMessageBytes) {
    return null;
  }
  return {
    topic,
    mend:
      `holds ${String(maxMessageBytes)} bytes a record, it may need ${String(minMessageBytes)}. ` +
      `kafka-configs.sh --bootstrap-server … --alter --topic ${topic} --add-config max.message.bytes=${String(minMessageBytes)}`,
  };
}
