import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';

import type { KafkaEventsSettings } from '../../kafka-events.options.js';
import { InvalidHandlerError } from '../../kafka-events.errors.js';
import { IdempotencyInterceptor } from '../idempotency.interceptor.js';
import type { EnhancerUse } from '../pattern-enhancers.js';
import { RetryDeadLetterFilter } from '../retry-dead-letter.filter.js';
import { PlainHandlers } from './plain-handlers.js';
import { plainServersOf } from './plain-server.js';

const USES: readonly EnhancerUse[] = [
  { kind: 'interceptor', enhancer: IdempotencyInterceptor },
  { kind: 'filter', enhancer: RetryDeadLetterFilter },
];

/**
 * Refuses, when the application boots, what our enhancers behind Nest's own `ServerKafka` would only
 * learn at the first record. A filter nearer than ours may take that for an error it has handled.
 *
 * @throws AutoCommitError, InvalidHandlerError.
 */
export function checkPlainServers(
  modules: ModulesContainer,
  config: ApplicationConfig,
  settings: Pick<KafkaEventsSettings, 'retryTopic' | 'retry'>,
): void {
  for (const plain of plainServersOf(modules)) {
    const handlers = new PlainHandlers(plain.server, modules);
    if (!USES.some((use) => handlers.areEnhancedBy(use, config))) continue;
    plain.refuseAutoCommit();
    const problems = [...handlers.clashes(), ...retryTopicOf(settings)];
    if (problems.length > 0) throw new InvalidHandlerError(problems);
  }
}

function retryTopicOf({
  retryTopic,
  retry,
}: Pick<KafkaEventsSettings, 'retryTopic' | 'retry'>): string[] {
  const scheduled = retry.schedules?.some((schedule) => Boolean(schedule.retryTopic)) ?? false;
  return retryTopic.delaysMs === null && !scheduled
    ? []
    : [
        "the module has a retry topic for all handlers, but behind Nest's own ServerKafka nobody consumes " +
          'it; use KafkaEventsServer, or give retryTopic to single handlers',
      ];
}
