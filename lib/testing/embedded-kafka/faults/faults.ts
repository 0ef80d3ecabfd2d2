import type { MaybePromise } from '../../../contracts/maybe-promise.js';
import type { RequestName, RequestOf, ResponseOf } from '../requests/request-table.js';
import { warnOf } from '../warn-of.js';
import { verdicts, type FaultControl, type Verdict } from './fault-control.js';

/** Decides about one request. One that throws is reported as a warning, and the request fails. */
export type FaultHandler<Name extends RequestName> = (
  request: RequestOf<Name>,
  control: FaultControl<RequestOf<Name>, ResponseOf<Name>>,
) => MaybePromise<Verdict<ResponseOf<Name>>>;

export interface FaultOptions<Name extends RequestName> {
  /** How many requests it strikes; `Infinity` for all until it is removed. @default 1 */
  readonly times?: number;
  /** Only requests to that broker. @default all */
  readonly nodeId?: number;
  /** Only requests that this accepts. @default all */
  readonly when?: (request: RequestOf<Name>) => boolean;
}

/** An armed fault. */
export interface Fault {
  /** How many requests it has struck. */
  readonly hits: number;
  /** Disarms it; it may be called again. */
  remove(): void;
}

/** A request on its way to its handler. */
export interface Interception<Request, Response> {
  readonly request: Request;
  readonly nodeId: number;
  readonly clientId: string | null;
  handle(request: Request): Promise<Response | null>;
}

interface Interceptor<Request, Response> {
  strike(interception: Interception<Request, Response>): Promise<Verdict<Response>>;
}

/** The faults of all brokers, tried in the order in which they were armed. */
export class Faults {
  readonly #armed = new Map<RequestName, Set<Interceptor<unknown, unknown>>>();

  arm<Name extends RequestName>(
    name: Name,
    handler: FaultHandler<Name>,
    options: FaultOptions<Name> = {},
  ): Fault {
    const faults = this.#armed.get(name) ?? new Set();
    this.#armed.set(name, faults);
    const fault = new ArmedFault<RequestOf<Name>, ResponseOf<Name>>(handler, options, () => {
      faults.delete(fault);
    });
    faults.add(fault);
    return fault;
  }

  /** What the first fault that does not pass says; `pass` without one. */
  async judge(
    name: RequestName,
    interception: Interception<unknown, unknown>,
  ): Promise<Verdict<unknown>> {
    for (const fault of this.#armed.get(name) ?? []) {
      const verdict = await fault.strike(interception);
      if (verdict.kind !== 'pass') return verdict;
    }
    return { kind: 'pass' };
  }

  has(name: RequestName): boolean {
    return (this.#armed.get(name)?.size ?? 0) > 0;
  }
}

class ArmedFault<Request, Response> implements Fault, Interceptor<Request, Response> {
  hits = 0;
  readonly #times: number;

  constructor(
    private readonly handler: (
      request: Request,
      control: FaultControl<Request, Response>,
    ) => MaybePromise<Verdict<Response>>,
    private readonly options: {
      readonly times?: number;
      readonly nodeId?: number;
      readonly when?: (request: Request) => boolean;
    },
    readonly remove: () => void,
  ) {
    this.#times = options.times ?? 1;
  }

  async strike(interception: Interception<Request, Response>): Promise<Verdict<Response>> {
    const { request, nodeId, clientId } = interception;
    if (!this.#concerns(request, nodeId)) return { kind: 'pass' };
    // Counted before the handler decides: a request that comes meanwhile is one too many.
    this.hits++;
    const verdict = await this.#verdict(request, {
      ...verdicts<Response>(),
      nodeId,
      clientId,
      handle: (changed = request) => interception.handle(changed),
    });
    if (verdict.kind === 'pass') this.hits--;
    else if (this.hits >= this.#times) this.remove();
    return verdict;
  }

  async #verdict(
    request: Request,
    control: FaultControl<Request, Response>,
  ): Promise<Verdict<Response>> {
    try {
      return await this.handler(request, control);
    } catch (error) {
      warnOf(error);
      return control.fail('UNKNOWN_SERVER_ERROR');
    }
  }

  #concerns(request: Request, nodeId: number): boolean {
    const { nodeId: only = nodeId, when } = this.options;
    return this.hits < this.#times && only === nodeId && (when?.(request) ?? true);
  }
}
