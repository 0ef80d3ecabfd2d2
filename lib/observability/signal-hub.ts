import { isPromise } from '../contracts/maybe-promise.js';
import type { KafkaEventsObserver, SignalName, Signals, SignalSink } from './observer.js';

/** Hooks are declared to return nothing, but an async one is a hook, too. */
type Listener<N extends SignalName> = (signal: Signals[N]) => unknown;

/** Fans signals out to observers and counts them. What an observer throws is counted, no more. */
export class SignalHub implements SignalSink {
  readonly #counts = new Map<SignalName, number>();
  readonly #listeners = new Map<SignalName, readonly unknown[]>();
  #observerErrors = 0;

  constructor(private readonly observers: readonly KafkaEventsObserver[]) {}

  emit<N extends SignalName>(name: N, signal: Signals[N]): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
    for (const listener of this.#listenersOf(name)) {
      try {
        const returned = listener(signal);
        if (isPromise(returned)) returned.catch(this.#countError);
      } catch {
        this.#countError();
      }
    }
  }

  readonly #countError = (): void => {
    this.#observerErrors++;
  };

  /** How often each signal was given since the start, and how often an observer failed. */
  get counts(): SignalCounts {
    return {
      ...Object.fromEntries(this.#counts),
      observerErrors: this.#observerErrors,
    };
  }

  #listenersOf<N extends SignalName>(name: N): readonly Listener<N>[] {
    const known = this.#listeners.get(name);
    // The map's key says which signal its listeners take; TypeScript cannot follow that.
    if (known !== undefined) return known as readonly Listener<N>[];
    const listeners = this.observers.flatMap((observer) => listenerOf(observer, name) ?? []);
    this.#listeners.set(name, listeners);
    return listeners;
  }
}

/** Signals by name with their number; a signal not yet given is absent. */
export type SignalCounts = Readonly<Partial<Record<SignalName, number>>> & {
  readonly observerErrors: number;
};

function listenerOf<N extends SignalName>(
  observer: KafkaEventsObserver,
  name: N,
): Listener<N> | undefined {
  const hook = `on${name.charAt(0).toUpperCase()}${name.slice(1)}` as keyof KafkaEventsObserver;
  // The mapped type `KafkaEventsObserver` pairs each hook with its signal by name.
  const listener = observer[hook] as Listener<N> | undefined;
  return listener?.bind(observer);
}
