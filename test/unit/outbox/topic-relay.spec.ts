import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';

import { DriverError, type DriverErrorKind } from '../../../lib/kafka-events.errors.js';
import type { PendingRecord } from '../../../lib/outbox/outbox-store.js';
import { TopicRelay } from '../../../lib/outbox/topic-relay.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelTopics, type ModelSend } from '../../support/model-producer.js';
import { rejectionOf } from '../../support/thrown-by.js';

function start(onSend: (send: ModelSend) => void) {
  const clock = new ManualClock();
  const topics = new ModelTopics();
  topics.onSend = onSend;
  const held: string[] = [];
  const published: string[] = [];
  const relay = new TopicRelay({
    ...{ topic: 'topic', createProducer: topics.producer, clock },
    ...{ maxBatchRecords: 10, sendTimeoutMs: 1_000, mayGo: () => true },
    onPublished: async (records) => {
      published.push(...records.map(({ eventId }) => eventId));
      await turn();
    },
    onRefused: async ({ eventId }) => {
      held.push(eventId);
      await turn();
    },
  });
  return { relay, topics, clock, held, published };
}

/** One for each key and number: `a1` is the first of key `a`. */
function records(...ids: string[]): PendingRecord[] {
  return ids.map((eventId) => ({
    ...{ id: eventId, eventId, eventType: 'noted.v1', topic: 'topic', headers: [] },
    ...{ key: Buffer.from(eventId.slice(0, 1)), value: Buffer.from(eventId) },
  }));
}

const has = (send: ModelSend, id: string) =>
  send.records.some(({ value }) => value?.toString() === id);

describe('TopicRelay', () => {
  it.each<DriverErrorKind>(['too-large', 'invalid-record'])(
    'holds the record that is at fault, and its key (%s)',
    async (kind) => {
      const { relay, held, published, topics } = start((send) => {
        if (has(send, 'b1')) send.fail(kind);
        else send.acknowledge();
      });
      await relay.publish(records('a1', 'b1', 'a2', 'b2', 'c1'));
      expect(held).toEqual(['b1']);
      expect(published).toEqual(['a1', 'a2', 'c1']);
      expect(topics.violations).toEqual([]);
    },
  );

  it.each<DriverErrorKind>(['fatal', 'retryable', 'auth', 'unknown-topic', 'closed', 'fenced'])(
    'holds none for what is no record’s fault, not even a lone one: its topic waits (%s)',
    async (kind) => {
      const { relay, held, topics } = start((send) => {
        send.fail(kind);
      });
      for (const pending of [records('a1'), records('a1', 'b1', 'c1')]) {
        expect(await rejectionOf(() => relay.publish(pending))).toMatchObject({ kind });
      }
      expect(topics.sends).toHaveLength(2);
      expect(held).toEqual([]);
      expect(topics.producers.every(({ closed }) => closed)).toBe(true);
    },
  );

  it('gives records the time of day at which it sends them', async () => {
    const { relay, topics, clock } = start((send) => {
      send.acknowledge();
    });
    await relay.publish(records('a1'));
    const timestamps = topics.sends[0]?.records.map(({ timestamp }) => timestamp);
    expect(timestamps).toEqual([clock.wallTime().getTime()]);
  });

  it('takes an error that no driver may throw for no record’s fault', async () => {
    const { relay, held } = start((send) => {
      send.fail(new TypeError('a bug'));
    });
    expect(await rejectionOf(() => relay.publish(records('a1')))).toBeInstanceOf(DriverError);
    expect(held).toEqual([]);
  });
});
