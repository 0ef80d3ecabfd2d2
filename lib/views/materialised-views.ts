import { mayPass } from '../consuming/event-consumers.js';
import type { Clock } from '../contracts/clock.js';
import { UnknownViewError, toError } from '../kafka-events.errors.js';
import type { ViewHealth } from '../observability/health-report.js';
import { MaterialisedView } from './materialised-view.js';
import type { ViewDefinition } from './view-definition.js';
import type { ViewLog } from './view-log.js';
import { ViewRunner, type RunnerSurroundings } from './view-runner.js';
import type { ViewStore } from './view-store.js';

/** The views of this application: `views.of(StockView)` is one to read from. Inject it. */
export class MaterialisedViews {
  readonly #runners: readonly ViewRunner[];
  readonly #views = new Map<ViewDefinition, ViewRunner>();
  readonly #store: ViewStore;
  readonly #clock: Clock;
  readonly #log: ViewLog;
  #started = false;

  /** @internal Made by the module. */
  constructor(
    views: readonly ViewDefinition[],
    private readonly around: RunnerSurroundings,
  ) {
    this.#store = around.store;
    this.#clock = around.clock;
    this.#log = around.log;
    this.#runners = views.map((view) => new ViewRunner(view, around));
    for (const runner of this.#runners) this.#views.set(runner.view, runner);
  }

  /**
   * Joins the groups of the views and resolves at their first assignments; they are ready when they are built.
   *
   * With `onUnavailable: 'retry'` it also resolves when broker or store are away, and keeps trying.
   *
   * @internal
   * @throws what time does not mend, and, with `'fail'`, that broker or store are away.
   */
  async start(onUnavailable: 'retry' | 'fail'): Promise<void> {
    this.#started = true;
    if (this.#areElsewhere()) return;
    for (const { view } of this.#runners) {
      for (const { contract } of view.on) await contract.prepare?.();
    }
    const started = await Promise.allSettled(this.#runners.map((runner) => runner.start()));
    const failed = started.flatMap((each) =>
      each.status === 'rejected' ? [toError(each.reason)] : [],
    );
    const final = failed.find((error) => onUnavailable === 'fail' || !mayPass(error));
    if (final !== undefined) throw final;
    for (const runner of this.#runners) runner.keepOn();
  }

  /** Ends all waits; the groups are left with all others. Never rejects. @internal */
  async stop(): Promise<void> {
    const stopping = this.#runners.map((runner) => runner.stop());
    // At once: a look at a broker that is away takes long.
    await this.#log.close();
    await Promise.all(stopping);
  }

  /** @internal */
  health(): readonly ViewHealth[] {
    if (!this.#started || this.#areElsewhere()) return [];
    return this.#runners.map((runner) => runner.health());
  }

  /** @throws UnknownViewError for a view that is not among the module's `views`. */
  of<T>(definition: ViewDefinition<T>): MaterialisedView<T> {
    const runner = this.#views.get(definition);
    if (runner !== undefined) {
      return new MaterialisedView(definition, runner, this.#store, this.#clock, this.around.newId);
    }
    const names = [...this.#views.keys()].map(({ name }) => name);
    throw new UnknownViewError(
      `the view "${definition.name}" is not among the module's; add it to views.views of ` +
        `KafkaEventsModule${names.length === 0 ? '' : `, where there are ${names.join(', ')}`}`,
    );
  }

  /** Views in memory are those of processes that consume. */
  #areElsewhere(): boolean {
    const { store, consumes } = this.around;
    return store.inProcess && !consumes;
  }
}
