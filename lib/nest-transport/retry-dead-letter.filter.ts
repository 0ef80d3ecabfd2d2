import { Catch, type ArgumentsHost } from '@nestjs/common';
import { BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core';
import { BaseRpcExceptionFilter, KafkaContext, RpcException } from '@nestjs/microservices';
import { from, throwError, type Observable } from 'rxjs';

import { EventContext } from '../consuming/event-context.js';
import { importPeer } from '../contracts/optional-peer.js';
import type { InvocationFault } from '../failure/retry-policy.js';
import { toError } from '../kafka-events.errors.js';
import { BestEffort } from './best-effort/best-effort.js';
import { KafkaEventsContext } from './kafka-events-context.js';

/** What Nest makes of a guard that answers `false`; it exports the text from no public entry point. */
const FORBIDDEN_MESSAGE = 'Forbidden resource';

/**
 * Retries what an `@EventPattern` handler throws, by the module's `retry` (or the handler's own, in
 * `handlers`), and writes the record to its dead-letter topic when that is over, or at once where it
 * throws a NonRetryableEventError.
 *
 * Behind `KafkaEventsServer` the record waits in its lane, holding up nothing but its own key or
 * partition. Behind Nest's own `ServerKafka` it is best effort, see docs/migrating.md.
 *
 * Nest asks one filter for each error, the nearest that catches it: put a filter of your own nearer
 * for errors that are to count as handled. Requests that wait for a reply, other transports, HTTP,
 * GraphQL and gateways get what Nest would have given them.
 */
@Catch()
export class RetryDeadLetterFilter {
  private readonly http: BaseExceptionFilter;
  private readonly rpc = new BaseRpcExceptionFilter();

  /** @internal Made by Nest. */
  constructor(
    private readonly bestEffort: BestEffort,
    { httpAdapter }: HttpAdapterHost,
  ) {
    this.http = new BaseExceptionFilter(httpAdapter);
  }

  catch(thrown: unknown, host: ArgumentsHost): Observable<unknown> | undefined {
    const type: string = host.getType();
    if (type === 'http') this.http.catch(thrown, host);
    if (type === 'ws') void catchOfGateway(thrown, host);
    // Where a filter answers nothing Nest goes on as if there was none, in GraphQL for one.
    if (type !== 'rpc') return undefined;

    const context: unknown = host.switchToRpc().getContext();
    // An `@EventHandler`, with `globalEnhancers`: the engine judges by itself.
    if (context instanceof EventContext) return undefined;
    if (context instanceof KafkaEventsContext) {
      const error = toError(thrown);
      context.judge(error, faultOf(thrown));
      return throwError(() => error);
    }
    if (context instanceof KafkaContext) {
      const error = toError(thrown);
      if (this.bestEffort.isOfAnEvent(context)) {
        return from(this.bestEffort.failed(error, faultOf(thrown), context));
      }
    }
    return this.rpc.catch(thrown, host);
  }
}

/** By the package that the gateway itself is from. */
async function catchOfGateway(thrown: unknown, host: ArgumentsHost): Promise<void> {
  const load = () => import('@nestjs/websockets');
  const { BaseWsExceptionFilter } = await importPeer('@nestjs/websockets', 'a gateway', load);
  new BaseWsExceptionFilter().catch(thrown, host);
}

function faultOf(thrown: unknown): InvocationFault {
  return thrown instanceof RpcException && thrown.getError() === FORBIDDEN_MESSAGE
    ? 'rejected-by-guard'
    : 'body';
}
