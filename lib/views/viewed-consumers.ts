import type { ConsumerRuntime } from '../consuming/consumer-runtime.js';
import type { BoundHandler } from '../consuming/event-handler.js';
import type { EventConsumers } from '../consuming/event-consumers.js';
import type { MaterialisedViews } from './materialised-views.js';

/** The application's consumers with its views: started after them, stopped before. */
export class ViewedConsumers implements ConsumerRuntime {
  constructor(
    private readonly consumers: EventConsumers,
    private readonly views: MaterialisedViews,
    private readonly onUnavailable: 'retry' | 'fail',
  ) {}

  async start(handlers: readonly BoundHandler[]): Promise<void> {
    await this.consumers.start(handlers);
    try {
      await this.views.start(this.onUnavailable);
    } catch (error) {
      // Nest closes nothing of an application that failed to boot.
      await this.stop();
      throw error;
    }
  }

  postpone(reason: string): void {
    this.consumers.postpone(reason);
  }

  async stop(): Promise<void> {
    await this.views.stop();
    await this.consumers.stop();
  }
}
