import { describe, expect, it } from '@jest/globals';

import type { HandlerSettings } from '../../../lib/consuming/handler-options.js';
import { retryTopicProblems, retryTopicsOf } from '../../../lib/consuming/retry-topics.js';
import { DEFAULT_RETRY } from '../../../lib/failure/retry-policy.js';
import { DEFAULTS } from '../../../lib/options/defaults.js';
import { anyEvent, handlerOf } from '../../support/engine.js';

const LATER = { retryTopic: { delaysMs: [1_000] } };
const NAMES = {
  topicName: (topic: string) => `staging.${topic}`,
  retryTopic: DEFAULTS.retryTopic,
  deadLetter: DEFAULTS.deadLetter,
};

function handler(topics: readonly string[], settings: Partial<HandlerSettings> = LATER, id = 'h') {
  const contracts = topics.map((topic) => anyEvent(`${topic}.changed`, topic));
  return handlerOf(id, contracts, () => undefined, settings);
}

function named(topicName: (topic: string, groupId: string) => string) {
  return { ...NAMES, retryTopic: { ...NAMES.retryTopic, topicName } };
}

describe('retry topics', () => {
  it('are the group’s own, one for each topic of a handler that has one', () => {
    expect(retryTopicsOf(handler(['orders', 'bills']), NAMES)).toEqual([
      'staging.orders.group.retry',
      'staging.bills.group.retry',
    ]);
    expect(retryTopicsOf(handler(['orders'], {}), NAMES)).toEqual([]);
  });

  it('are there for the schedule of one error alone', () => {
    const schedules = [{ when: TypeError, ...LATER }];
    const settings = { retry: { ...DEFAULT_RETRY, schedules } };
    expect(retryTopicsOf(handler(['orders'], settings), NAMES)).toHaveLength(1);
  });

  it('may be shared by handlers of one topic and group', () => {
    const handlers = [handler(['orders']), handler(['orders'], LATER, 'other')];
    expect(retryTopicProblems(handlers, NAMES)).toEqual([]);
  });

  it('are refused where Kafka would not take their name', () => {
    expect(retryTopicProblems([handler(['orders'], { ...LATER, groupId: 'a/b' })], NAMES)).toEqual([
      'topic "staging.orders" in group "a/b": its retry topic "staging.orders.a/b.retry" ' +
        'is no name that Kafka takes; set retryTopic.topicName',
    ]);
  });

  it.each([
    ['of another topic', () => 'retry', 'is that of topic "staging.orders" in group "group", too'],
    ['of a topic that is consumed', () => 'staging.bills', 'is consumed as a topic of its own'],
    ['of dead letters', () => 'staging.orders.dlq', 'is a dead-letter topic'],
  ])('are refused under the name %s', (_, topicName, problem) => {
    const problems = retryTopicProblems([handler(['orders', 'bills'])], named(topicName));
    expect(problems.at(-1)).toContain(problem);
  });
});
