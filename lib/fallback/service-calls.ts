import { retryDelayMs } from '../failure/retry-policy.js';
import { DeadlinePassedError, SyncCallError, type SyncCallRef } from '../kafka-events.errors.js';
import { metadataOf, signalsOf, timeOf, type SyncCallOptions } from './call-options.js';
import { CallScope } from './call-scope.js';
import type { CacheFallback, Fallback } from './fallback.js';
import { FallbackChain, type FallbackSurroundings } from './fallback-chain.js';
import { GuardedTransport, toCallError, type GuardSurroundings } from './guarded-transport.js';
import { RetryBudget } from './retry-budget.js';
import type { SyncResult } from './sync-result.js';
import type { SyncMethodSettings, SyncServiceSettings } from './sync-service.js';

/** The share of a call's time that is kept for fallbacks that take time. */
const FALLBACK_SHARE = 0.2;

export type CallSurroundings = GuardSurroundings & FallbackSurroundings;

/** One call on its way. Of its request only the method's own options know the type. */
interface Call extends SyncCallRef {
  readonly request: never;
  readonly options: SyncCallOptions;
  readonly settings: SyncMethodSettings;
  /** What stands in for the service where its own declaration has nothing; null for nothing. */
  readonly otherwise: FallbackChain | null;
  /** Both by `Clock.now`. */
  readonly startedAt: number;
  readonly deadline: number;
  attempts: number;
}

/**
 * The calls of one service: the way of each, from its deadline to its answer.
 *
 *     deadline ─ attempt (GuardedTransport) ─┬ reply
 *                   ▲                        ├ refusal: an answer, too
 *                   └── wait, if it may be ◀─┴ failure ─ fallback ─┬ its answer
 *                       repeated                                   └ the failure
 */
export class ServiceCalls {
  readonly transport: GuardedTransport;
  readonly #budget: RetryBudget;
  readonly #chains = new Map<string, FallbackChain>();
  readonly #scopes = new Set<CallScope>();
  #methods: ReadonlySet<string> = new Set();
  /** Calls from their begin to their answer, whatever they are at: between two steps they have no scope. */
  #underWay = 0;
  #onIdle: (() => void) | null = null;
  /** Whether no call may begin any more. */
  #closed = false;
  /** Whether nothing of a call may, either. */
  #ended = false;

  constructor(
    readonly settings: SyncServiceSettings,
    private readonly around: CallSurroundings,
  ) {
    this.transport = new GuardedTransport(settings, around);
    this.#budget = new RetryBudget(settings.retry.budget);
    for (const [method, { fallbacks }] of settings.methods) {
      this.#chains.set(method, new FallbackChain(fallbacks, around));
    }
  }

  /** Opens the transport; answers the methods that it has. @throws what it says is wrong. */
  async open(): Promise<ReadonlySet<string>> {
    this.#methods = new Set(await this.settings.transport.open());
    return this.#methods;
  }

  /**
   * The service's reply, or what stands in for it.
   *
   * @param otherwise tried after what the service declares for the method.
   * @throws SyncCallError
   */
  async call(
    method: string,
    request: never,
    options: SyncCallOptions,
    otherwise: readonly Exclude<Fallback, CacheFallback>[] = [],
  ): Promise<SyncResult<unknown>> {
    const { clock, signals } = this.around;
    const settings = this.settings.methods.get(method) ?? this.settings.unnamed;
    const startedAt = clock.now();
    const deadline = startedAt + timeOf(options, settings.deadlineMs, clock.wallTime());
    const ref = { service: this.settings.name, method };
    const call: Call = {
      ...{ ...ref, request, options, settings, startedAt, deadline, attempts: 0 },
      otherwise: otherwise.length === 0 ? null : new FallbackChain(otherwise, this.around),
    };
    const figures = () => ({
      ...ref,
      attempts: call.attempts,
      durationMs: clock.now() - startedAt,
    });
    this.#underWay++;
    try {
      const value = await this.#ask(call);
      signals.emit('syncCalled', figures());
      return { source: 'service', value, ageMs: null, receipt: null, cause: null };
    } catch (thrown) {
      const error = toCallError(thrown, ref);
      const answer = this.#mayFallBack(error) ? await this.#fallBack(call, error) : null;
      if (answer === null) {
        signals.emit('syncCallFailed', { ...figures(), error });
        throw error;
      }
      const { source, ageMs } = answer;
      signals.emit('syncFellBack', { ...figures(), error, source, ageMs });
      return answer;
    } finally {
      this.#underWay--;
      if (this.#underWay === 0) this.#onIdle?.();
    }
  }

  /** Refuses new calls, lets those under way end until then, ends the rest, and closes the transport. */
  async close(deadlineMs: number): Promise<void> {
    const { clock } = this.around;
    this.#closed = true;
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        const timer = clock.setTimeout(resolve, deadlineMs);
        this.#onIdle = () => {
          clock.clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#ended = true;
    for (const scope of this.#scopes) scope.end('shutdown');
    await this.settings.transport.close();
  }

  async #ask(call: Call): Promise<unknown> {
    this.#check(call);
    const chain = this.#chains.get(call.method);
    const timeMs = call.deadline - call.startedAt;
    const takesTime = this.#fallbacksOf(call).some((each) => each.takesTime);
    const keptMs = takesTime ? timeMs * FALLBACK_SHARE : 0;
    const value = await this.#inScope(call, call.deadline - keptMs, (scope) =>
      this.#attempts(call, scope),
    );
    chain?.remember(call, call.request, value);
    return value;
  }

  #check(call: Call): void {
    const { method, deadline, startedAt } = call;
    const refused = (status: 'CANCELLED' | 'UNIMPLEMENTED' | 'INVALID_ARGUMENT', why: string) =>
      new SyncCallError(call, status, `not called, ${why}`, { origin: 'caller' });
    if (this.#closed) throw refused('CANCELLED', 'the application is shutting down');
    if (!this.#methods.has(method)) {
      const known = [...this.#methods].join(', ');
      throw refused('UNIMPLEMENTED', `there is no such method; there are ${known}`);
    }
    if (Number.isNaN(deadline)) throw refused('INVALID_ARGUMENT', 'its deadline is no time');
    if (deadline <= startedAt) throw new DeadlinePassedError(call, startedAt - deadline);
  }

  /** Attempts until one is answered, or another one is not allowed or not possible in time. */
  async #attempts(call: Call, scope: CallScope): Promise<unknown> {
    const { transport } = this;
    const { service, method, request } = call;
    const metadata = metadataOf(call.options);
    const pace = { ...this.settings.retry, jitter: 1 };
    this.#budget.earn();
    for (;;) {
      try {
        call.attempts++;
        return await transport.attempt({ service, method, request, metadata }, scope);
      } catch (thrown) {
        if (!this.#mayRepeat(thrown, call)) throw thrown;
        const delayMs = retryDelayMs(pace, call.attempts, this.around.random());
        if (delayMs >= scope.leftMs || !this.#budget.spend()) throw thrown;
        // Where the time is up instead, what failed before says more than that.
        if (!(await scope.wait(delayMs)) && scope.ended === 'deadline') throw thrown;
      }
    }
  }

  #mayRepeat(thrown: unknown, { settings, attempts }: Call): boolean {
    const { attempts: most, statuses } = this.settings.retry;
    return (
      settings.idempotent &&
      attempts < most &&
      thrown instanceof SyncCallError &&
      thrown.origin === 'service' &&
      statuses.has(thrown.status) &&
      this.transport.letsThrough
    );
  }

  /** Not for refusals, which are answers, nor for what the caller has to mend. */
  #mayFallBack(error: SyncCallError): boolean {
    return error.origin === 'guard' || this.transport.isFailure(error);
  }

  async #fallBack(call: Call, error: SyncCallError): Promise<SyncResult<unknown> | null> {
    const fallbacks = this.#fallbacksOf(call);
    if (fallbacks.length === 0) return null;
    const { service, method, request, options } = call;
    const unanswered = { service, method, request, options, error };
    return this.#inScope(call, call.deadline, async (scope) => {
      for (const each of fallbacks) {
        const answer = await each.answer(unanswered, scope);
        if (answer !== null) return answer;
      }
      return null;
    });
  }

  /** The method's own, then the caller's. */
  #fallbacksOf({ method, options, otherwise }: Call): readonly FallbackChain[] {
    if (options.fallback === false) return [];
    return [this.#chains.get(method) ?? null, otherwise].filter((each) => each !== null);
  }

  async #inScope<T>(
    { options }: Call,
    deadline: number,
    run: (scope: CallScope) => Promise<T>,
  ): Promise<T> {
    const scope = new CallScope(deadline, this.around.clock, signalsOf(options));
    if (this.#ended) scope.end('shutdown');
    this.#scopes.add(scope);
    try {
      return await run(scope);
    } finally {
      scope.close();
      this.#scopes.delete(scope);
    }
  }
}
