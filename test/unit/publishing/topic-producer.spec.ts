import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { DriverError } from '../../../lib/kafka-events.errors.js';
import type { RecordPosition } from '../../../lib/kafka/driver.js';
import type { OutRecord } from '../../../lib/kafka/records.js';
import { SendDeadlineError } from '../../../lib/publishing/send-deadline-error.js';
import { TopicProducer } from '../../../lib/publishing/topic-producer.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelTopics, type ModelSend } from '../../support/model-producer.js';

const SEND_TIMEOUT_MS = 60_000;

function start(options: { maxBatchRecords?: number; random?: () => number; once?: boolean } = {}) {
  const clock = new ManualClock();
  const topics = new ModelTopics();
  const recycled: DriverError[] = [];
  const producer = new TopicProducer({
    topic: 'topic',
    createProducer: topics.producer,
    clock,
    random: () => 0,
    maxBatchRecords: 500,
    sendTimeoutMs: SEND_TIMEOUT_MS,
    onRecycled: (error) => recycled.push(error),
    ...options,
  });
  /** What became of each key: a position, or the error's kind. */
  const outcomes = new Map<string, RecordPosition | DriverError>();
  const send = (key: string, deadlineMs = 30_000, bytes = 0): void => {
    void producer.send(record(key, bytes), clock.now() + deadlineMs).then(
      (position) => outcomes.set(key, position),
      (error: unknown) => outcomes.set(key, error as DriverError),
    );
  };
  return { clock, topics, recycled, producer, outcomes, send };
}

function record(key: string, bytes = 0): OutRecord {
  return { key: Buffer.from(key), value: Buffer.alloc(bytes), headers: [], timestamp: 0 };
}

const acknowledged = (offset: number) => ({ partition: 0, offset: BigInt(offset) });

describe('TopicProducer', () => {
  describe('sending', () => {
    it('sends a lone record in the same turn, and answers where it went', async () => {
      const { topics, outcomes, send } = start();
      send('a');
      await turn();
      expect(topics.next().keys).toEqual(['a']);
      topics.next().acknowledge();
      await turn();
      expect(outcomes.get('a')).toEqual(acknowledged(0));
    });

    it('keeps one request outstanding; what comes meanwhile shares the next one', async () => {
      const { topics, outcomes, send } = start();
      send('a');
      await turn();
      for (const key of ['b', 'c', 'd']) send(key);
      await turn();
      expect(topics.sends).toHaveLength(1);
      topics.next().acknowledge();
      await turn();
      await turn();
      expect(topics.next().keys).toEqual(['b', 'c', 'd']);
      topics.next().acknowledge();
      await turn();
      expect([...outcomes.values()]).toEqual([0, 1, 2, 3].map(acknowledged));
      expect(topics.producers).toHaveLength(1);
    });

    it('caps a request by records and by bytes', async () => {
      const { topics, send } = start({ maxBatchRecords: 2 });
      topics.onSend = (sent) => {
        sent.acknowledge();
      };
      for (const key of ['a', 'b', 'c']) send(key);
      for (const key of ['d', 'e']) send(key, 30_000, 2 ** 20 - 10);
      for (let i = 0; i < 10; i++) await turn();
      expect(topics.sends.map(({ keys }) => keys)).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
    });

    it('leaves no timer behind', async () => {
      const { clock, topics, send } = start();
      topics.onSend = (sent) => {
        sent.acknowledge();
      };
      send('a', 1_000);
      send('b', 2_000);
      await turn();
      await turn();
      expect(clock.pending).toBe(0);
    });
  });

  describe('a failed request', () => {
    it('is the end of its records where trying again is left to the caller', async () => {
      const { clock, topics, outcomes, send } = start({ once: true });
      send('a');
      await turn();
      send('b');
      topics.next().fail('retryable');
      await turn();
      await turn();
      expect(outcomes.get('a')).toMatchObject({ kind: 'retryable' });
      topics.next().acknowledge();
      await turn();
      expect(outcomes.get('b')).toEqual(acknowledged(0));
      expect(topics.producers).toHaveLength(2);
      expect(clock.pending).toBe(0);
    });

    it.each(['retryable', 'fenced', 'closed'] as const)(
      '(%s) is tried again in order, before what came meanwhile, by a new producer',
      async (kind) => {
        const { clock, topics, recycled, outcomes, send } = start();
        send('a');
        send('b');
        await turn();
        send('c');
        topics.next().fail(kind);
        await turn();
        expect(topics.producers[0]?.closed).toBe(true);
        expect(recycled.map((error) => error.kind)).toEqual([kind]);
        await clock.advanceAsync(100);
        await turn();
        expect(topics.next().keys).toEqual(['a', 'b', 'c']);
        topics.next().acknowledge();
        await turn();
        expect([...outcomes.values()]).toEqual([0, 1, 2].map(acknowledged));
        expect(topics.producers).toHaveLength(2);
        expect(topics.violations).toEqual([]);
      },
    );

    it('waits longer each time, up to five seconds, and starts anew after a success', async () => {
      const { clock, topics, send } = start();
      const sentAt: number[] = [];
      topics.onSend = (sent) => {
        sentAt.push(clock.now());
        sent.fail();
      };
      send('a', 60_000);
      for (let ms = 0; ms < 20_000; ms += 50) await clock.advanceAsync(50);
      const delays = sentAt.slice(1).map((at, i) => at - (sentAt[i] ?? 0));
      expect(delays).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);

      topics.onSend = (sent) => {
        sent.acknowledge();
      };
      await clock.advanceAsync(5_000);
      await turn();
      topics.onSend = (sent) => {
        sentAt.push(clock.now());
        sent.fail();
      };
      send('b');
      await turn();
      for (let ms = 0; ms < 100; ms += 50) await clock.advanceAsync(50);
      await turn();
      expect((sentAt.at(-1) ?? 0) - (sentAt.at(-2) ?? 0)).toBe(100);
    });

    it('shortens the delay at random', async () => {
      const { clock, topics, send } = start({ random: () => 0.999 });
      send('a');
      await turn();
      topics.next().fail();
      await turn();
      await clock.advanceAsync(50);
      await turn();
      expect(topics.sends).toHaveLength(2);
    });

    it('is acknowledged once although it was stored twice: the answer alone was lost', async () => {
      const { clock, topics, outcomes, send } = start();
      send('a');
      await turn();
      topics.next().fail('retryable', () => true);
      await turn();
      await clock.advanceAsync(100);
      await turn();
      topics.next().acknowledge();
      await turn();
      expect(topics.keys()).toEqual(['a', 'a']);
      expect(outcomes.get('a')).toEqual(acknowledged(1));
    });

    it.each(['auth', 'unknown-topic'] as const)(
      '(%s) fails all its records at once, and the next is tried again',
      async (kind) => {
        const { topics, outcomes, send } = start();
        send('a');
        send('b');
        await turn();
        send('c');
        topics.next().fail(kind);
        await turn();
        await turn();
        expect(outcomes.get('a')).toMatchObject({ kind });
        expect(outcomes.get('b')).toMatchObject({ kind });
        expect(topics.next().keys).toEqual(['c']);
        topics.next().acknowledge();
        await turn();
        expect(outcomes.get('c')).toEqual(acknowledged(0));
        expect(topics.violations).toEqual([]);
      },
    );

    it.each(['too-large', 'invalid-record', 'fatal'] as const)(
      '(%s) is halved until only the record at fault fails',
      async (kind) => {
        const { topics, outcomes, send } = start();
        topics.onSend = (sent) => {
          if (sent.keys.includes('f')) sent.fail(kind);
          else sent.acknowledge();
        };
        for (const key of 'abcdefgh') send(key);
        for (let i = 0; i < 30; i++) await turn();
        expect(outcomes.get('f')).toMatchObject({ kind });
        expect(topics.keys()).toEqual(['a', 'b', 'c', 'd', 'e', 'g', 'h']);
        expect(outcomes.size).toBe(8);
        expect(topics.violations).toEqual([]);
      },
    );

    it.each([
      [
        'an answer for other records',
        (sent: ModelSend) => {
          sent.answer([]);
        },
        'answered 0 positions',
      ],
      [
        'an error of no known kind',
        (sent: ModelSend) => {
          sent.fail(new TypeError('a bug'));
        },
        'a bug',
      ],
    ])('takes %s for a fault of the driver', async (_, misbehave, message) => {
      const { topics, outcomes, send } = start();
      send('a');
      await turn();
      misbehave(topics.next());
      await turn();
      const outcome = outcomes.get('a');
      if (!(outcome instanceof DriverError)) throw new Error('it was acknowledged');
      expect(outcome.kind).toBe('fatal');
      expect(outcome.message).toContain(message);
      expect(topics.producers[0]?.closed).toBe(true);
    });
  });

  describe('after a refused record', () => {
    it('makes the requests smaller only for a while', async () => {
      const { topics, send } = start();
      topics.onSend = (sent) => {
        if (sent.keys.includes('culprit')) sent.fail('too-large');
        else sent.acknowledge();
      };
      send('culprit');
      for (let i = 0; i < 100; i++) send(`${i}`);
      for (let i = 0; i < 100; i++) await turn();
      expect(topics.keys()).toHaveLength(100);
      const others = topics.sends.filter(({ keys }) => !keys.includes('culprit'));
      expect(others.slice(0, 4).map(({ keys }) => keys.length)).toEqual([1, 2, 3, 4]);
    });
  });

  describe('deadlines', () => {
    it('rejects in time what is queued, what is in flight and what is backing off', async () => {
      const { clock, topics, outcomes, send } = start();
      send('in flight', 1_000);
      await turn();
      send('queued', 500);
      await clock.advanceAsync(499);
      expect(outcomes.size).toBe(0);
      await clock.advanceAsync(1);
      await turn();
      expect(outcomes.get('queued')).toBeInstanceOf(SendDeadlineError);
      await clock.advanceAsync(500);
      await turn();
      expect(outcomes.get('in flight')).toBeInstanceOf(SendDeadlineError);

      topics.next().fail();
      await turn();
      send('backing off', 30);
      await clock.advanceAsync(30);
      await turn();
      expect(outcomes.get('backing off')).toMatchObject({
        kind: 'retryable',
        cause: { message: 'scripted: retryable' },
      });
    });

    it('does not send again what expired while in flight', async () => {
      const { clock, topics, send } = start();
      send('a', 1_000);
      send('b', 30_000);
      await turn();
      await clock.advanceAsync(1_000);
      topics.next().fail();
      await turn();
      await clock.advanceAsync(100);
      await turn();
      expect(topics.next().keys).toEqual(['b']);
    });

    it('never sends what expired before its turn', async () => {
      const { clock, topics, outcomes, send } = start();
      send('late', 0);
      await turn();
      expect(topics.sends).toHaveLength(0);
      expect(outcomes.get('late')).toBeInstanceOf(SendDeadlineError);
      expect(clock.pending).toBe(0);
    });

    it('accepts the acknowledgement of the others when one of them expired', async () => {
      const { clock, topics, outcomes, send } = start();
      send('a', 1_000);
      send('b', 30_000);
      await turn();
      await clock.advanceAsync(1_000);
      topics.next().acknowledge();
      await turn();
      expect(outcomes.get('a')).toBeInstanceOf(SendDeadlineError);
      expect(outcomes.get('b')).toEqual(acknowledged(1));
    });

    it('gives up a send that is never answered, and sends again by another producer', async () => {
      const { clock, topics, recycled, outcomes, send } = start();
      send('a', 3 * SEND_TIMEOUT_MS);
      await turn();
      const hanging = topics.next();
      await clock.advanceAsync(SEND_TIMEOUT_MS);
      expect(recycled.map(({ message }) => message)).toEqual([
        'no answer to a send within 60000 ms',
      ]);
      expect(hanging.producer.closed).toBe(true);
      await clock.advanceAsync(100);
      await turn();
      expect(topics.sends.map(({ keys }) => keys)).toEqual([['a'], ['a']]);

      hanging.fail('auth');
      await turn();
      expect(outcomes.size).toBe(0);
      expect(topics.next().producer.closed).toBe(false);
      topics.next().acknowledge();
      await turn();
      expect(outcomes.get('a')).toEqual(acknowledged(0));
      expect(clock.pending).toBe(0);
    });

    it('takes no notice when a send that was given up is acknowledged after all', async () => {
      const { clock, topics, outcomes, send } = start();
      send('a', 3 * SEND_TIMEOUT_MS);
      await turn();
      const hanging = topics.next();
      await clock.advanceAsync(SEND_TIMEOUT_MS + 100);
      await turn();
      hanging.acknowledge();
      await turn();
      expect(outcomes.size).toBe(0);
      topics.next().acknowledge();
      await turn();
      expect(outcomes.get('a')).toEqual(acknowledged(1));
    });
  });

  describe('closing', () => {
    it('rejects what is queued and in flight, closes the producer and leaves no timer', async () => {
      const { clock, topics, producer, outcomes, send } = start();
      send('a');
      await turn();
      send('b');
      await producer.close();
      await turn();
      expect(outcomes.get('a')).toMatchObject({ kind: 'closed' });
      expect(outcomes.get('b')).toMatchObject({ kind: 'closed' });
      expect(topics.producers.map(({ closed }) => closed)).toEqual([true]);
      expect(clock.pending).toBe(0);

      topics.next().acknowledge();
      send('c');
      await turn();
      expect(outcomes.get('c')).toMatchObject({ kind: 'closed' });
      expect(topics.sends).toHaveLength(1);
    });

    it('sends nothing of what was about to be sent in the same turn', async () => {
      const { topics, producer, outcomes, send } = start();
      send('a');
      await producer.close();
      await turn();
      send('b');
      await turn();
      expect([...outcomes.keys()]).toEqual(['a', 'b']);
      expect(topics.sends).toEqual([]);
    });

    it('ends a backoff', async () => {
      const { clock, topics, producer, outcomes, send } = start();
      send('a');
      await turn();
      topics.next().fail();
      await turn();
      await producer.close();
      expect(clock.pending).toBe(0);
      await turn();
      expect(outcomes.get('a')).toMatchObject({ kind: 'closed' });
    });

    it('waits for producers thrown away earlier', async () => {
      const { topics, producer, send } = start();
      send('a');
      await turn();
      const release: (() => void)[] = [];
      topics.next().producer.close = () => new Promise((resolve) => release.push(resolve));
      topics.next().fail();
      await turn();
      let closed = false;
      const closing = producer.close().then(() => (closed = true));
      await turn();
      expect(closed).toBe(false);
      for (const fn of release) fn();
      await closing;
      expect(closed).toBe(true);
    });
  });

  it('tells how it is doing', async () => {
    const { clock, topics, producer, send } = start();
    send('a');
    await turn();
    send('b');
    expect(producer.stats()).toEqual({
      topic: 'topic',
      queued: 1,
      inFlight: 1,
      failures: 0,
      lastError: null,
    });
    topics.next().fail();
    await turn();
    expect(producer.stats()).toMatchObject({
      queued: 2,
      inFlight: 0,
      failures: 1,
      lastError: { kind: 'retryable' },
    });
    await clock.advanceAsync(100);
    await turn();
    topics.next().acknowledge();
    await turn();
    expect(producer.stats()).toMatchObject({ queued: 0, failures: 0, lastError: null });
  });
});
