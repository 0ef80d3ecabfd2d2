import type { ConsumerRuntime } from '../consuming/consumer-runtime.js';
import type { BoundHandler } from '../consuming/event-handler.js';
import type { EventConsumers } from '../consuming/event-consumers.js';
import type { MaterialisedViews } from './materialised-views.js';

/** The application's consumers with its views: started after them, stopped with them. */
export class ViewedConsumers implements ConsumerRuntime {
  constructor(
    private readonly consumers: Pick<EventConsumers, 'start' | 'postpone' | 'stop'>,
    private readonly views: Pick<MaterialisedViews, 'start' | 'stop'>,
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
    // Side by side: what runs must drain, whatever the broker makes views wait for.
    await Promise.all([this.views.stop(), this.consumers.stop()]);
  }
}
