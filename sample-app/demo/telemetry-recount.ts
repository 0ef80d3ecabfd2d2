import type { INestApplicationContext } from '@nestjs/common';

import { ReadingStore, type DeviceAggregate } from '../telemetry/reading-store.js';
import type { TelemetryReading } from '../telemetry/telemetry-reading.event.js';
import { headerOf, type StoredRecord } from './bare-kafka.js';
import { TELEMETRY } from './script.js';
import type { Row } from './summary.js';

const POISON = ['handler-requested', 'undecodable'] as const;

/** Holds the store's aggregates against those made anew from what lies in the topic. */
export function telemetryRows(
  shop: INestApplicationContext,
  records: readonly StoredRecord[],
  deadLetters: readonly StoredRecord[],
): Row[] {
  const { devices, readingsEach, impossible, duplicates, brokenJson } = TELEMETRY;
  const sent = devices * readingsEach;
  const store = shop.get(ReadingStore, { strict: false });
  const stored = [...store.aggregates.values()];
  const expected = aggregatesOf(records);
  const alike = [...expected].filter(([id, own]) => isAlike(own, store.aggregates.get(id)));
  const poison = { 'handler-requested': impossible, undecodable: brokenJson };
  return [
    row('telemetry: records in the topic', sent + duplicates + brokenJson, records.length),
    row('telemetry: inserts that failed whole', 1, store.failures),
    row(
      'telemetry: readings stored',
      sent - impossible,
      sumOf(stored, ({ count }) => count),
    ),
    row('telemetry: devices with the right aggregate', devices, alike.length),
    row('telemetry: devices read in order', devices, stored.filter((each) => each.inOrder).length),
    ...POISON.map((reason) =>
      row(
        `telemetry: dead letters, ${reason}`,
        poison[reason],
        deadLetters.filter((letter) => headerOf(letter, 'dlq-reason') === reason).length,
      ),
    ),
    row('telemetry: dead letters in all', impossible + brokenJson, deadLetters.length),
  ];
}

type Sums = Pick<DeviceAggregate, 'count' | 'sum' | 'lowest' | 'highest'>;

/** Of what should be in the store: each event once, and nothing impossible. */
function aggregatesOf(records: readonly StoredRecord[]): Map<string, Sums> {
  const seen = new Set<string>();
  const sums = new Map<string, Sums>();
  for (const record of records) {
    const id = headerOf(record, 'event-id');
    const reading = readingIn(record);
    if (reading === null || reading.celsius < -273.15 || id === undefined || seen.has(id)) continue;
    seen.add(id);
    const { deviceId, celsius } = reading;
    const before = sums.get(deviceId) ?? { count: 0, sum: 0, lowest: celsius, highest: celsius };
    sums.set(deviceId, {
      count: before.count + 1,
      sum: before.sum + celsius,
      lowest: Math.min(before.lowest, celsius),
      highest: Math.max(before.highest, celsius),
    });
  }
  return sums;
}

function readingIn({ value }: StoredRecord): TelemetryReading | null {
  try {
    return JSON.parse(String(value)) as TelemetryReading;
  } catch {
    return null;
  }
}

function isAlike(own: Sums, stored: Sums | undefined): boolean {
  return (
    own.count === stored?.count &&
    own.sum === stored.sum &&
    own.lowest === stored.lowest &&
    own.highest === stored.highest
  );
}

function sumOf(
  aggregates: readonly DeviceAggregate[],
  what: (of: DeviceAggregate) => number,
): number {
  return aggregates.reduce((sum, each) => sum + what(each), 0);
}

function row(what: string, expected: number, counted: number): Row {
  return { what, expected, counted };
}
