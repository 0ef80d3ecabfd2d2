import { Injectable } from '@nestjs/common';

import type { TelemetryReading } from './telemetry-reading.event.js';

/** Devices whose shard of the store is busy at first, as real ones are under load. */
export const BUSY_PREFIX = 'busy-';
/** Inserts that such a shard refuses. */
export const REFUSALS = 2;

/** What is known of one device. */
export interface DeviceAggregate {
  readonly count: number;
  readonly sum: number;
  readonly lowest: number;
  readonly highest: number;
  /** Whether its readings came in the order it made them. */
  readonly inOrder: boolean;
  readonly lastNumber: number;
}

/**
 * Stands for a time-series database: takes many readings at once, shard by shard, and keeps an
 * aggregate of each device. Its first insert finds a connection that was reset.
 *
 * It counts every reading it is given, also one that it was given before.
 */
@Injectable()
export class ReadingStore {
  readonly aggregates = new Map<string, DeviceAggregate>();
  /** Inserts that stored something. */
  inserts = 0;
  /** Inserts that failed whole. */
  failures = 0;
  private readonly refused = new Map<string, number>();

  /** Answers the devices whose shard is busy; their readings are not stored. Rejects when nothing is. */
  async insert(readings: readonly TelemetryReading[]): Promise<Set<string>> {
    if (this.failures === 0) {
      this.failures++;
      throw new Error('time-series store: ECONNRESET');
    }
    const busy = new Set(
      [...new Set(readings.map(({ deviceId }) => deviceId))].filter((id) => this.isBusy(id)),
    );
    for (const reading of readings) if (!busy.has(reading.deviceId)) this.add(reading);
    this.inserts++;
    return busy;
  }

  private isBusy(deviceId: string): boolean {
    if (!deviceId.startsWith(BUSY_PREFIX)) return false;
    const refused = (this.refused.get(deviceId) ?? 0) + 1;
    this.refused.set(deviceId, refused);
    return refused <= REFUSALS;
  }

  private add({ deviceId, number, celsius }: TelemetryReading): void {
    const before = this.aggregates.get(deviceId);
    this.aggregates.set(deviceId, {
      count: (before?.count ?? 0) + 1,
      sum: (before?.sum ?? 0) + celsius,
      lowest: Math.min(before?.lowest ?? celsius, celsius),
      highest: Math.max(before?.highest ?? celsius, celsius),
      inOrder: (before?.inOrder ?? true) && number > (before?.lastNumber ?? 0),
      lastNumber: number,
    });
  }
}
