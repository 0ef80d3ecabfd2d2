import type { Clock } from '../contracts/clock.js';
import { redacted } from '../failure/redact.js';
import {
  BreakerOpenError,
  BulkheadFullError,
  SyncCallError,
  toError,
  type SyncCallRef,
} from '../kafka-events.errors.js';
import type { SyncServiceHealth } from '../observability/health-report.js';
import type { SignalSink } from '../observability/observer.js';
import { Bulkhead } from './bulkhead.js';
import type { CallScope } from './call-scope.js';
import { CircuitBreaker, type Permit } from './circuit-breaker.js';
import type { SyncServiceSettings } from './sync-service.js';
import type { SyncMetadata } from './sync-transport.js';

export interface GuardSurroundings {
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly signals: SignalSink;
}

/** What is sent in one attempt. */
export interface GuardedRequest extends SyncCallRef {
  readonly request: unknown;
  readonly metadata: SyncMetadata;
}

/**
 * One service behind its breaker and its bulkhead, one attempt at a time:
 *
 *     breaker ─ line of the bulkhead ─ breaker ─ transport ─ the breaker is told how it ended
 *
 * The breaker is asked before the line, so that nobody waits for a service that is not called, and after
 * it, because time has passed. No step outlives the scope, however the transport behaves.
 */
export class GuardedTransport {
  readonly #breaker: CircuitBreaker;
  readonly #bulkhead: Bulkhead;

  constructor(
    private readonly settings: SyncServiceSettings,
    private readonly around: GuardSurroundings,
  ) {
    const { name: service, transport } = settings;
    const { clock, random, signals } = around;
    this.#breaker = new CircuitBreaker(settings.breaker, clock, random, {
      opened: (error, openMs) => {
        signals.emit('breakerOpened', { service, error, openMs });
      },
      halfOpened: () => {
        transport.renew?.();
        signals.emit('breakerHalfOpened', { service });
      },
      closed: (openForMs) => {
        signals.emit('breakerClosed', { service, openForMs });
      },
    });
    this.#bulkhead = new Bulkhead(settings.bulkhead);
  }

  health(redact: (text: string) => string): SyncServiceHealth {
    const { state: breaker, trouble } = this.#breaker;
    const { inFlight, queued } = this.#bulkhead;
    return {
      service: this.settings.name,
      breaker,
      openForMs: trouble === null ? null : this.around.clock.now() - trouble.since,
      error: redacted(trouble?.error ?? null, redact),
      ...{ inFlight, queued },
    };
  }

  /** Whether an attempt would be let through now. */
  get letsThrough(): boolean {
    return this.#breaker.refusesForMs === null;
  }

  /** Whether the error says that the service is not well; all others of its errors are answers. */
  isFailure({ origin, status }: SyncCallError): boolean {
    return origin === 'service' && this.settings.failureStatuses.has(status);
  }

  /** The service's reply. @throws SyncCallError */
  async attempt(call: GuardedRequest, scope: CallScope): Promise<unknown> {
    throwIfEnded(call, scope);
    const refusedMs = this.#breaker.refusesForMs;
    if (refusedMs !== null) throw this.#openError(call, refusedMs);
    const entrance = await this.#bulkhead.enter(scope);
    if (entrance === 'full') throw new BulkheadFullError(call, this.#bulkhead.policy);
    if (entrance === 'interrupted') throw endedError(call, scope, 'guard');
    try {
      throwIfEnded(call, scope);
      const permit = this.#breaker.admit();
      if (permit === null) throw this.#openError(call, this.#breaker.refusesForMs ?? 0);
      return await this.#send(call, scope, permit);
    } finally {
      this.#bulkhead.leave();
    }
  }

  async #send(call: GuardedRequest, scope: CallScope, permit: Permit): Promise<unknown> {
    const { clock } = this.around;
    const { service, method, metadata } = call;
    const { signal } = scope;
    const startedAt = clock.now();
    const givenMs = scope.leftMs;
    const deadline = clock.wallTime().getTime() + givenMs;
    try {
      const reply = await scope.within(
        this.settings.transport.call(call.request, { service, method, deadline, signal, metadata }),
      );
      permit.succeeded(clock.now() - startedAt);
      return reply;
    } catch (thrown) {
      const error =
        scope.ended === null ? toCallError(thrown, call) : endedError(call, scope, 'service');
      const wasHurried = error.status === 'DEADLINE_EXCEEDED' && givenMs < this.settings.hurryMs;
      if (this.isFailure(error) && !wasHurried) permit.failed(error);
      else permit.saidNothing();
      const isSick = this.isFailure(error) && this.#breaker.state !== 'closed';
      error.retryInMs = isSick ? (this.#breaker.refusesForMs ?? 0) : null;
      throw error;
    }
  }

  #openError(call: SyncCallRef, refusedMs: number): BreakerOpenError {
    return new BreakerOpenError(call, refusedMs, this.#breaker.trouble?.error ?? null);
  }
}

/** Whatever a call failed with, as the error its caller is given. */
export function toCallError(thrown: unknown, call: SyncCallRef): SyncCallError {
  if (thrown instanceof SyncCallError) return thrown;
  const cause = toError(thrown);
  return new SyncCallError(call, 'UNKNOWN', cause.message, { cause });
}

function throwIfEnded(call: SyncCallRef, scope: CallScope): void {
  if (scope.ended !== null) throw endedError(call, scope, 'guard');
}

/** @param late who is to blame where the time was up. */
function endedError(call: SyncCallRef, scope: CallScope, late: 'service' | 'guard'): SyncCallError {
  if (scope.ended === 'deadline') {
    const what =
      late === 'service' ? 'no answer in time' : 'not called, its turn did not come in time';
    return new SyncCallError(call, 'DEADLINE_EXCEEDED', what, { origin: late });
  }
  const why =
    scope.ended === 'shutdown' ? 'the application is shutting down' : 'its caller gave up';
  return new SyncCallError(call, 'CANCELLED', why, { origin: 'caller' });
}
