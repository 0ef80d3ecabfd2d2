import { randomUUID } from 'node:crypto';
import type { Message } from 'kafkajs';
import { event, type EventPublisher } from 'nestjs-kafka-events';

import { BUSY_PREFIX } from '../telemetry/reading-store.js';
import { TelemetryReading } from '../telemetry/telemetry-reading.event.js';
import type { BareKafka } from './bare-kafka.js';
import type { Progress } from './progress.js';
import { TELEMETRY } from './script.js';

/** Readings on their way at once. */
const AT_ONCE = 1_000;

/** Sends the readings of all devices, device after device within each round. */
export async function sendReadings(events: EventPublisher, progress: Progress): Promise<void> {
  const { devices, readingsEach } = TELEMETRY;
  const all = devices * readingsEach;
  for (let sent = 0; sent < all; sent += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, all - sent) }, (_, i) => sent + i);
    await events.publishAll(numbers.map((number) => event(TelemetryReading, readingOf(number))));
    progress.update(sent + numbers.length, all);
  }
}

/** Sends some readings again, byte for byte, and some that are no JSON. */
export async function disturb(kafka: BareKafka, topic: string): Promise<void> {
  const every = (TELEMETRY.devices * TELEMETRY.readingsEach) / TELEMETRY.duplicates;
  const records = await kafka.readAll([topic]);
  const again = records
    .filter((_, i) => i % every === 0)
    .map(({ partition, key, value, headers }): Message => ({ partition, key, value, headers }));
  await kafka.send(topic, again);
  await kafka.send(
    topic,
    Array.from({ length: TELEMETRY.brokenJson }, () => ({
      key: randomUUID(),
      value: '{"deviceId": "cut o',
      headers: { 'event-id': randomUUID(), 'event-type': 'telemetry.reading.v1' },
    })),
  );
}

function readingOf(number: number): TelemetryReading {
  const { devices, readingsEach, busyDevices, impossible } = TELEMETRY;
  const device = number % devices;
  const prefix = device < busyDevices ? BUSY_PREFIX : 'device-';
  const own = 1 + Math.floor(number / devices);
  // One impossible reading from each of so many devices, none of them busy.
  const isImpossible =
    own === readingsEach / 2 && device >= busyDevices && device < busyDevices + impossible;
  return {
    deviceId: `${prefix}${String(device).padStart(3, '0')}`,
    number: own,
    celsius: isImpossible ? -300 : 15 + ((device + own) % 12),
  };
}
