import { Injectable } from '@nestjs/common';
import { EventBatch, EventBatchHandler, type BatchItem } from 'nestjs-kafka-events';

import { ReadingStore } from './reading-store.js';
import { TelemetryReading } from './telemetry-reading.event.js';

const ABSOLUTE_ZERO = -273.15;

@Injectable()
export class TelemetryHandlers {
  constructor(private readonly store: ReadingStore) {}

  @EventBatchHandler(TelemetryReading, { maxSize: 500, maxWaitMs: 200 })
  async ingest(batch: EventBatch<TelemetryReading>): Promise<void> {
    const possible: BatchItem<TelemetryReading>[] = [];
    for (const item of batch) {
      if (item.payload.celsius >= ABSOLUTE_ZERO) possible.push(item);
      else batch.deadLetter(item.index, 'colder than absolute zero');
    }
    if (possible.length === 0) return;
    // Should this throw, nothing is stored: what was not decided above comes again.
    const busy = await this.store.insert(possible.map(({ payload }) => payload));
    for (const { index, payload } of possible) {
      // The first of each device: the later ones go with it, so that their order is kept.
      if (busy.delete(payload.deviceId)) batch.retry(index, new Error('the shard is busy'));
    }
  }
}
