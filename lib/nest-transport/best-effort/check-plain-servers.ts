import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';

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
export function checkPlainServers(modules: ModulesContainer, config: ApplicationConfig): void {
  for (const plain of plainServersOf(modules)) {
    const handlers = new PlainHandlers(plain.server, modules);
    if (!USES.some((use) => handlers.areEnhancedBy(use, config))) continue;
    plain.refuseAutoCommit();
    const clashes = handlers.clashes();
    if (clashes.length > 0) throw new InvalidHandlerError(clashes);
  }
}
