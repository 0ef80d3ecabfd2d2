import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import type { OutRecord } from '../../../lib/kafka/records.js';
import type { SignalSink } from '../../../lib/observability/observer.js';
import { RecordSender } from '../../../lib/publishing/record-sender.js';
import { SendDeadlineError } from '../../../lib/publishing/send-deadline-error.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelTopics } from '../../support/model-producer.js';

const RECORD: OutRecord = { key: null, value: Buffer.from('v'), headers: [], timestamp: 0 };

function start() {
  const clock = new ManualClock();
  const topics = new ModelTopics();
  const signals: unknown[] = [];
  const sink: SignalSink = { emit: (name, signal) => signals.push({ name, signal }) };
  const sender = new RecordSender({
    driver: topics,
    clock,
    random: () => 0,
    sink,
    maxBatchRecords: 500,
    requestTimeoutMs: 2_000,
  });
  return { clock, topics, signals, sender };
}

describe('RecordSender', () => {
  it('sends each topic through a producer of its own', async () => {
    const { topics, sender } = start();
    topics.onSend = (send) => {
      send.acknowledge();
    };
    const sent = ['a', 'b', 'a'].map((topic) => sender.send(topic, RECORD, 1_000));
    expect(await Promise.all(sent)).toEqual([
      { partition: 0, offset: 0n },
      { partition: 0, offset: 0n },
      { partition: 0, offset: 1n },
    ]);
    expect(topics.sends.map(({ topic, records }) => [topic, records.length])).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
    expect(topics.producers).toHaveLength(2);
    expect(sender.stats().map(({ topic }) => topic)).toEqual(['a', 'b']);
  });

  it('rejects when the deadline has passed, as many milliseconds from now as it says', async () => {
    const { clock, sender } = start();
    let outcome: unknown = 'open';
    sender.send('a', RECORD, 1_000).catch((error: unknown) => (outcome = error));
    await clock.advanceAsync(999);
    expect(outcome).toBe('open');
    await clock.advanceAsync(1);
    await turn();
    expect(outcome).toBeInstanceOf(SendDeadlineError);
  });

  it('reports a producer thrown away; one that hangs is, after twice the request timeout', async () => {
    const { clock, signals, topics, sender } = start();
    void sender.send('a', RECORD, 60_000).catch(() => undefined);
    await clock.advanceAsync(3_999);
    expect(signals).toEqual([]);
    await clock.advanceAsync(1);
    expect(signals).toMatchObject([{ name: 'producerRecycled', signal: { topic: 'a' } }]);
    expect(topics.producers[0]?.closed).toBe(true);
  });

  it('sends nothing more once closed, not even to topics it has not seen', async () => {
    const { topics, sender } = start();
    const pending = sender.send('a', RECORD, 1_000).catch((error: unknown) => error);
    await turn();
    await sender.close(1_000);
    expect(await pending).toMatchObject({ kind: 'closed' });
    await expect(sender.send('b', RECORD, 1_000)).rejects.toMatchObject({ kind: 'closed' });
    await turn();
    expect(topics.sends).toHaveLength(1);
  });
});
