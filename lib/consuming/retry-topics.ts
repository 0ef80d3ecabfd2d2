import type { KafkaEventsSettings } from '../kafka-events.options.js';
import { topicsOf } from './event-handler.js';
import type { HandlerSettings } from './handler-options.js';

/** Whatever has topics and settings: handlers, bound or not. */
interface Parking {
  readonly settings: HandlerSettings;
  readonly contracts: readonly { readonly topic: string }[];
  readonly wholeTopic?: { readonly topic: string };
}

type Names = Pick<KafkaEventsSettings, 'topicName' | 'retryTopic' | 'deadLetter'>;

/** Kafka's own rule. */
const TOPIC_NAME = /^(?!\.{1,2}$)[\w.-]{1,249}$/;

/** Whether a handler may park records, or have some that are parked. */
export function hasRetryTopic({ retryTopic, retry }: HandlerSettings): boolean {
  return (
    retryTopic !== null || (retry.schedules?.some((each) => Boolean(each.retryTopic)) ?? false)
  );
}

/** The physical retry topics of a handler, one for each topic it takes; none where it has none. */
export function retryTopicsOf(
  handler: Parking,
  { topicName, retryTopic }: Pick<Names, 'topicName' | 'retryTopic'>,
): string[] {
  if (!hasRetryTopic(handler.settings)) return [];
  const { groupId } = handler.settings;
  return topicsOf(handler, topicName).map((topic) => retryTopic.topicName(topic, groupId));
}

/** Names under which parked records could not be kept apart from others, or not at all; for people. */
export function retryTopicProblems(handlers: readonly Parking[], names: Names): string[] {
  const { topicName, deadLetter } = names;
  const sources = new Set(handlers.flatMap((handler) => topicsOf(handler, topicName)));
  const deadLetters = new Set([...sources].map((topic) => deadLetter.topicName(topic)));
  const parkedIn = new Map<string, string>();
  const problems = handlers.flatMap((handler) =>
    retryTopicsOf(handler, names).flatMap((retryTopic, index) => {
      const { groupId } = handler.settings;
      const source = `topic "${String(topicsOf(handler, topicName)[index])}" in group "${groupId}"`;
      const other = parkedIn.get(retryTopic) ?? source;
      parkedIn.set(retryTopic, other);
      const problem = !TOPIC_NAME.test(retryTopic)
        ? 'is no name that Kafka takes'
        : sources.has(retryTopic)
          ? 'is consumed as a topic of its own'
          : deadLetters.has(retryTopic)
            ? 'is a dead-letter topic'
            : other === source
              ? null
              : `is that of ${other}, too`;
      return problem === null
        ? []
        : [`${source}: its retry topic "${retryTopic}" ${problem}; set retryTopic.topicName`];
    }),
  );
  return [...new Set(problems)];
}
