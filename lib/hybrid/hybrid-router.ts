import { Injectable } from '@nestjs/common';

import type { Clock } from '../contracts/clock.js';
import { contractOf, type EventSource, type PublishPayload } from '../contracts/event-source.js';
import type { SyncCallOptions } from '../fallback/call-options.js';
import { InvalidTargetError, toError } from '../kafka-events.errors.js';
import type { LookUp } from '../fallback/fallback.js';
import type { SyncFallbackClient } from '../fallback/sync-fallback-client.js';
import type { SignalSink } from '../observability/observer.js';
import type { PublishOptions } from '../publishing/publish-options.js';
import type { DurablePublisher } from './durable-publisher.js';
import type { AsyncFirst, SyncFirst, ViewRead } from './hybrid-operation.js';
import type { AsyncFirstResult, SyncFirstResult, ViewReadResult } from './hybrid-result.js';

export interface HybridRouterOptions {
  readonly sync: SyncFallbackClient;
  readonly durable: DurablePublisher;
  readonly signals: SignalSink;
  readonly clock: Clock;
}

/** What a read of a view may be told. */
export interface ViewReadOptions {
  /** Default: a second. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

const VIEW_READ_MS = 1_000;

/** What every result says of itself. */
interface Routed {
  readonly path: string;
  readonly cause?: Error | null;
}

/**
 * Runs operations that have more than one way to go: inject it, and `run` what `syncFirst`, `asyncFirst` or
 * `fromView` has declared. The way taken is the `path` of the result.
 */
@Injectable()
export class HybridRouter {
  #lookUp: LookUp | null = null;

  /** @internal Made by the module. */
  constructor(private readonly options: HybridRouterOptions) {}

  /** @internal Where views are looked up. */
  open(lookUp: LookUp): this {
    this.#lookUp = lookUp;
    return this;
  }

  /**
   * Asks the service, or what stands in for it.
   *
   * @throws SyncCallError as `SyncFallbackClient` does.
   */
  run<Request, Reply>(
    operation: SyncFirst<Request, Reply>,
    request: Request,
    options?: SyncCallOptions,
  ): Promise<SyncFirstResult<Reply>>;
  /**
   * Publishes the event, or has the outbox do it as soon as the broker is back.
   *
   * @throws PublishError where the event is at fault, or nobody took it.
   */
  run<S extends EventSource>(
    operation: AsyncFirst<S>,
    payload: PublishPayload<S>,
    options?: PublishOptions,
  ): Promise<AsyncFirstResult>;
  /** Reads the view. @throws what the view does. */
  run<Request, Reply>(
    operation: ViewRead<Request, Reply>,
    request: Request,
    options?: ViewReadOptions,
  ): Promise<ViewReadResult<Reply>>;
  async run(
    operation: SyncFirst | AsyncFirst | ViewRead,
    input: unknown,
    options: SyncCallOptions & PublishOptions & ViewReadOptions = {},
  ): Promise<unknown> {
    const { clock, signals } = this.options;
    const startedAt = clock.now();
    const name = nameOf(operation);
    const durationMs = (): number => clock.now() - startedAt;
    try {
      const result = await this.#run(operation, input, options);
      const { path, cause = null } = result;
      signals.emit('routed', { operation: name, path, cause, durationMs: durationMs() });
      return result;
    } catch (thrown) {
      const error = toError(thrown);
      signals.emit('routingFailed', { operation: name, error, durationMs: durationMs() });
      throw thrown;
    }
  }

  #run(
    operation: SyncFirst | AsyncFirst | ViewRead,
    input: unknown,
    options: SyncCallOptions & PublishOptions & ViewReadOptions,
  ): Promise<Routed> {
    switch (operation.kind) {
      case 'sync-first':
        return this.#ask(operation, input, options);
      case 'async-first':
        // The overloads have paired event and payload; the encoder checks it again.
        return this.options.durable.publish(operation, input, options);
      case 'view-read':
        return this.#read(operation, input, options);
    }
  }

  async #ask(
    { service, method, otherwise }: SyncFirst,
    request: unknown,
    options: SyncCallOptions,
  ): Promise<Routed> {
    const client = this.options.sync.service(service);
    const { source, ...answer } = await client.callOr(otherwise, method, request, options);
    return { path: source, ...answer };
  }

  async #read(
    { read }: ViewRead,
    request: unknown,
    { deadlineMs = VIEW_READ_MS, signal }: ViewReadOptions,
  ): Promise<Routed & ViewReadResult<unknown>> {
    const get = this.#lookUp;
    if (get === null) throw new InvalidTargetError('the module has not booted yet');
    const ended = AbortSignal.timeout(deadlineMs);
    const either = signal === undefined ? ended : AbortSignal.any([signal, ended]);
    const deadline = this.options.clock.wallTime().getTime() + deadlineMs;
    const known = await read(request as never, { signal: either, deadline, get });
    return { path: 'view', value: known?.value ?? null, ageMs: known?.ageMs ?? null };
  }
}

function nameOf(operation: SyncFirst | AsyncFirst | ViewRead): string {
  if (operation.kind !== 'async-first') return operation.name;
  return operation.name ?? contractOf(operation.event).eventType;
}
