import {
  InvalidOptionsError,
  InvalidTargetError,
  MissingPeerError,
  toError,
  type OptionProblem,
} from '../kafka-events.errors.js';
import type { SyncServiceHealth } from '../observability/health-report.js';
import { nearestName } from '../options/nearest-name.js';
import type { SyncCallOptions } from './call-options.js';
import type { CacheFallback, Fallback, LookUp } from './fallback.js';
import { ServiceCalls, type CallSurroundings } from './service-calls.js';
import type {
  SyncMethod,
  SyncReply,
  SyncRequest,
  SyncService,
  SyncServiceSettings,
} from './sync-service.js';
import type { SyncResult } from './sync-result.js';

/**
 * Calls other services and waits for their answer: inject it and ask `service(…)` for one of those that the
 * module's `sync.services` names.
 *
 * A service that is sick costs what is asked of it, and nothing else: each has a breaker and a bulkhead of
 * its own, a deadline on every call, and what stands in for it.
 */
export class SyncFallbackClient {
  readonly #services: ReadonlyMap<string, ServiceCalls>;
  #lookUp: LookUp | null = null;
  #opening: Promise<void> | null = null;
  #closing: Promise<void> | null = null;

  /** @internal Made by the module. */
  constructor(
    services: readonly SyncServiceSettings[],
    surroundings: Omit<CallSurroundings, 'lookUp'>,
  ) {
    const lookUp: LookUp = (token) => {
      if (this.#lookUp === null) throw new InvalidTargetError('the module has not booted yet');
      return this.#lookUp(token);
    };
    const around = { ...surroundings, lookUp };
    this.#services = new Map(
      services.map((settings) => [settings.name, new ServiceCalls(settings, around)]),
    );
  }

  /**
   * One of the module's services, typed by its definition.
   *
   * @throws InvalidTargetError when the module's options do not name it.
   */
  service<Api extends object>({ name }: SyncService<Api>): SyncServiceClient<Api> {
    const calls = this.#services.get(name);
    if (calls !== undefined) return new SyncServiceClient<Api>(calls);
    const known = [...this.#services.keys()].map((each) => `"${each}"`).join(', ');
    throw new InvalidTargetError(
      `there is no service "${name}" in sync.services; there ${known === '' ? 'is none' : `are ${known}`}`,
    );
  }

  /** @internal */
  health(redact: (text: string) => string): readonly SyncServiceHealth[] {
    return [...this.#services.values()].map(({ transport }) => transport.health(redact));
  }

  /**
   * @internal Opens all transports, contacting no service.
   * @throws InvalidOptionsError, MissingPeerError
   */
  open(lookUp: LookUp): Promise<void> {
    this.#lookUp = lookUp;
    return (this.#opening ??= this.#open());
  }

  /** @internal Lets calls under way end, then closes all transports; never rejects. */
  close(deadlineMs: number): Promise<void> {
    return (this.#closing ??= this.#close(deadlineMs));
  }

  async #open(): Promise<void> {
    const all = [...this.#services.values()];
    const problems = (await Promise.all(all.map(problemsOf))).flat();
    if (problems.length > 0) throw new InvalidOptionsError(problems);
  }

  async #close(deadlineMs: number): Promise<void> {
    const all = [...this.#services.values()];
    await Promise.allSettled(all.map((calls) => calls.close(deadlineMs)));
  }
}

/** One service as its callers see it. */
export class SyncServiceClient<Api extends object> {
  /** @internal */
  constructor(private readonly calls: ServiceCalls) {}

  /**
   * The service's reply, or what stands in for it while the service is not well; `source` tells which.
   *
   * @throws SyncCallError with the service's refusal, or where nothing stands in for it: BreakerOpenError,
   * BulkheadFullError; DeadlinePassedError and MessageTooLargeError where the call cannot be made as asked.
   */
  call<M extends SyncMethod<Api>>(
    method: M,
    request: SyncRequest<Api, M>,
    options: SyncCallOptions = {},
  ): Promise<SyncResult<SyncReply<Api, M>>> {
    // Behind this line methods are known by name: what goes in and comes out is what the API promises.
    const answered: Promise<unknown> = this.calls.call(method, request as never, options);
    return answered as Promise<SyncResult<SyncReply<Api, M>>>;
  }

  /** @internal With more to stand in for the service than it declares itself; typed by who declared both. */
  callOr(
    otherwise: readonly Exclude<Fallback, CacheFallback>[],
    method: string,
    request: unknown,
    options: SyncCallOptions,
  ): Promise<SyncResult<unknown>> {
    return this.calls.call(method, request as never, options, otherwise);
  }
}

/** What is wrong with how a service is called; opens its transport to find out. */
async function problemsOf(calls: ServiceCalls): Promise<readonly OptionProblem[]> {
  const { path, transport, methods } = calls.settings;
  try {
    const known = [...(await calls.open())];
    return [...methods.keys()]
      .filter((name) => !known.includes(name))
      .map((name) => {
        const meant = nearestName(name, known);
        const hint = meant === null ? `there are ${known.join(', ')}` : `did you mean ${meant}?`;
        const problem = `is not a method of ${transport.name}; ${hint}`;
        return { option: `${path}.methods['${name}']`, problem };
      });
  } catch (thrown) {
    if (thrown instanceof MissingPeerError) throw thrown;
    return [{ option: `${path}.transport`, problem: toError(thrown).message }];
  }
}
