import type { ExecutionContext } from '@nestjs/common';

import type { HandledContext } from './event-handler.js';
import type { HandlerMethod } from './handler-method.js';
import { CONTEXT_TYPE } from './nest-metadata.js';

/** Nest lets the caller name the type of what it asks for; there is nothing to check that against. */
type AsAsked = never;

/**
 * What exception filters learn of the call that failed: an `'rpc'` host whose data is the payload and
 * whose context is the `EventContext`; for a batch both are the `EventBatch`.
 *
 * As in Nest, switching to another transport gives the same two arguments under its names.
 */
export class EventArgumentsHost implements ExecutionContext {
  private readonly args: readonly unknown[];

  constructor(
    private readonly method: HandlerMethod,
    payload: unknown,
    context: HandledContext,
  ) {
    this.args = [payload, context];
  }

  getType(): AsAsked {
    return CONTEXT_TYPE as AsAsked;
  }
  getClass(): AsAsked {
    return this.method.host.classRef as AsAsked;
  }
  getHandler(): HandlerMethod['callback'] {
    return this.method.callback;
  }
  getArgs(): AsAsked {
    return [...this.args] as AsAsked;
  }
  getArgByIndex(index: number): AsAsked {
    return this.args[index] as AsAsked;
  }
  switchToRpc(): ReturnType<ExecutionContext['switchToRpc']> {
    return { getData: this.argAt(0), getContext: this.argAt(1) };
  }
  switchToHttp(): ReturnType<ExecutionContext['switchToHttp']> {
    return { getRequest: this.argAt(0), getResponse: this.argAt(1), getNext: this.argAt(2) };
  }
  switchToWs(): ReturnType<ExecutionContext['switchToWs']> {
    return { getClient: this.argAt(0), getData: this.argAt(1), getPattern: this.argAt(2) };
  }

  private argAt(index: number): () => AsAsked {
    return () => this.getArgByIndex(index);
  }
}
