import type { Clock } from '../contracts/clock.js';
import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import { toError, type SyncCallError, type SyncCallRef } from '../kafka-events.errors.js';
import type { SignalSink } from '../observability/observer.js';
import type { AcceptCommand, AcceptedEvent } from './accept-command.js';
import { correlationIdOf, traceOf, type SyncCallOptions } from './call-options.js';
import type { CallScope } from './call-scope.js';
import type { EventFallback, LookUp } from './fallback.js';
import { ReplyCache } from './reply-cache.js';
import type { SyncMethodSettings } from './sync-service.js';
import type { SyncResult } from './sync-result.js';

export interface FallbackSurroundings {
  readonly clock: Clock;
  readonly accept: AcceptCommand;
  readonly signals: SignalSink;
  readonly lookUp: LookUp;
}

/** A call that the service did not answer, and why. */
export interface UnansweredCall extends SyncCallRef {
  readonly request: never;
  readonly options: SyncCallOptions;
  readonly error: SyncCallError;
}

type Answer = SyncResult<unknown> | null;
type Step = (call: UnansweredCall, scope: CallScope) => MaybePromise<Answer>;

/** What stands in for one method of a service, in the order in which it was declared. */
export class FallbackChain {
  readonly #caches: ReplyCache[] = [];
  readonly #steps: readonly Step[];
  /** Whether some of it takes time, which has to be kept for it. */
  readonly takesTime: boolean;

  constructor(
    fallbacks: SyncMethodSettings['fallbacks'],
    private readonly around: FallbackSurroundings,
  ) {
    this.#steps = fallbacks.map((fallback) => this.#step(fallback));
    this.takesTime = fallbacks.some(({ kind }) => kind === 'view' || kind === 'event');
  }

  /** Keeps a good reply; where that fails, it is reported. */
  remember(call: SyncCallRef, request: never, reply: unknown): void {
    for (const cache of this.#caches) {
      try {
        cache.remember(request, reply);
      } catch (thrown) {
        this.#report(call, thrown);
      }
    }
  }

  /** The first answer there is, null where nobody has one. What fails is reported, and the next one tried. */
  async answer(call: UnansweredCall, scope: CallScope): Promise<Answer> {
    for (const step of this.#steps) {
      if (scope.ended !== null && scope.ended !== 'deadline') return null;
      try {
        const made = step(call, scope);
        const answer = isPromise(made) ? await scope.within(made) : made;
        if (answer !== null) return answer;
      } catch (thrown) {
        this.#report(call, thrown);
      }
    }
    return null;
  }

  #step(fallback: SyncMethodSettings['fallbacks'][number]): Step {
    switch (fallback.kind) {
      case 'cache': {
        const cache = new ReplyCache(fallback, this.around.clock);
        this.#caches.push(cache);
        return ({ request, error: cause }) => {
          const kept = cache.recall(request);
          return kept && { ...kept, source: 'cache', receipt: null, cause };
        };
      }
      case 'view':
        return async ({ request, error: cause }, { signal, leftMs }) => {
          const { lookUp: get, clock } = this.around;
          const deadline = clock.wallTime().getTime() + leftMs;
          const known = await fallback.read(request, { signal, deadline, get });
          if (known === null) return null;
          const { value, ageMs } = known;
          return { source: 'view', value, ageMs, receipt: null, cause };
        };
      case 'default':
        return ({ request, error: cause }) => {
          const value = fallback.reply(request);
          return { source: 'default', value, ageMs: null, receipt: null, cause };
        };
      case 'event':
        return async (call, scope) => {
          const accepted = await this.#accept(fallback, call, scope);
          return { source: 'accepted', value: null, ageMs: null, ...accepted, cause: call.error };
        };
    }
  }

  #accept(
    { event, payload, options }: EventFallback,
    { request, options: { event: causing, ...ofCall } }: UnansweredCall,
    scope: CallScope,
  ): Promise<AcceptedEvent> {
    const given = options?.(request);
    const correlationId = correlationIdOf({ ...ofCall, ...(causing && { event: causing }) });
    const sent = Object.entries(ofCall.metadata ?? {}).map(
      ([name, text]) => [name, Buffer.from(text)] as const,
    );
    const trace = traceOf([...(causing?.headers ?? []), ...sent]);
    const told = {
      ...(correlationId !== undefined && { correlationId }),
      ...(causing && { causationId: causing.eventId }),
      ...given,
      headers: { ...trace, ...given?.headers },
    };
    return this.around.accept(event, payload(request), told, scope.leftMs);
  }

  #report({ service, method }: SyncCallRef, thrown: unknown): void {
    this.around.signals.emit('syncFallbackFailed', { service, method, error: toError(thrown) });
  }
}
