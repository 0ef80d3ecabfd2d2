import { describe, expect, it } from '@jest/globals';

import { DriverError, StoreUnavailableError } from '../../../lib/kafka-events.errors.js';
import { OutboxRelay } from '../../../lib/outbox/outbox-relay.js';
import type { OutboxRecord } from '../../../lib/outbox/outbox-store.js';
import { onCleanup } from '../../support/cleanup.js';
import { settle } from '../../support/engine-events.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelOutbox } from '../../support/model-outbox.js';
import { ModelTopics } from '../../support/model-producer.js';

/** Removes, and is not heard. */
class UnheardOutbox extends ModelOutbox {
  unheard = 0;
  readonly asked: string[][] = [];

  override async remove(ids: readonly string[]): Promise<void> {
    this.asked.push([...ids]);
    await super.remove(ids);
    if (this.unheard-- > 0) throw new StoreUnavailableError('the answer was lost');
  }
}

async function start() {
  const clock = new ManualClock();
  const outbox = new UnheardOutbox(clock);
  const topics = new ModelTopics();
  const relay = new OutboxRelay({
    settings: { store: outbox, relay: true, batchSize: 10, pollMs: 1_000, leaseMs: 10_000 },
    driver: { producer: topics.producer },
    ...{ clock, random: () => 0.5, sink: { emit: () => undefined }, redact: (text) => text },
    ...{ owner: 'relay', maxBatchRecords: 10, requestTimeoutMs: 60_000 },
  });
  await relay.start();
  onCleanup(async () => {
    const stopped = relay.stop(0);
    await clock.advanceAsync(2_000);
    await stopped;
  });
  /** Time enough for a backoff and a look. */
  const pass = async (ms = 2_000) => {
    for (let waited = 0; waited < ms; waited += 100) {
      await clock.advanceAsync(100);
      await settle(3);
    }
  };
  return { outbox, topics, relay, pass };
}

function record(eventId: string, topic = 'topic'): OutboxRecord {
  const [key, value] = [Buffer.from(eventId), Buffer.from(eventId)];
  return { eventId, eventType: 'noted.v1', topic, key, value, headers: [] };
}

describe('OutboxRelay', () => {
  it('asks again to remove what it has published, and keeps nothing in mind once that is done', async () => {
    const { outbox, topics, pass } = await start();
    topics.onSend = (send) => {
      send.acknowledge();
    };
    outbox.unheard = 2;
    await outbox.store([record('a'), record('b')]);
    await pass(5_000);
    expect(outbox.asked).toEqual([
      ['1', '2'],
      ['1', '2'],
      ['1', '2'],
    ]);
    expect(topics.keys()).toEqual(['a', 'b']);
  });

  it('has a topic wait whose broker fails in a way that nobody knows, and says so; others go on', async () => {
    const { outbox, topics, relay, pass } = await start();
    topics.onSend = (send) => {
      if (send.topic === 'sick') send.fail(new DriverError('fatal', 'a key was not found'));
      else send.acknowledge();
    };
    await outbox.store([record('a', 'sick'), record('b', 'well')]);
    await pass();
    expect(topics.keys('well')).toEqual(['b']);
    expect(relay.health().failing).toEqual([{ topic: 'sick', error: 'a key was not found' }]);
    expect(outbox.errors).toEqual([]);

    topics.onSend = (send) => {
      send.acknowledge();
    };
    await pass(10_000);
    expect(topics.keys('sick')).toEqual(['a']);
    expect(relay.health().failing).toEqual([]);
  });
});
