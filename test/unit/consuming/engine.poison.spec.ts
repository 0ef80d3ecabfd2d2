import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { redactSecrets } from '../../../lib/failure/redact.js';
import { toWireHeaders } from '../../../lib/kafka/drivers/kafkajs/kafkajs-headers.js';
import { SignalHub } from '../../../lib/observability/signal-hub.js';
import { anyEvent, handlerOf, startEngine } from '../../support/engine.js';
import { eventually } from '../../support/eventually.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelPartition } from '../../support/model-kafka.js';
import { append, idOf, settle } from '../../support/engine-events.js';

const Created = anyEvent('order.created');
const ONCE = { attempts: 1, initialDelayMs: 1, factor: 1, maxDelayMs: 1, jitter: 0 };

describe('poison', () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown): void => {
    unhandled.push(reason);
  };
  beforeEach(() => {
    unhandled.length = 0;
    process.on('unhandledRejection', note);
  });
  afterEach(() => {
    process.off('unhandledRejection', note);
  });

  it('dead-letters a handler that rejects with something without text', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e1');
    const engine = await startEngine(
      [partition],
      [
        handlerOf('h', [Created], () => Promise.reject(Object.create(null) as Error), {
          retry: ONCE,
        }),
      ],
    );
    engine.kafka.fetch(partition);
    await settle();
    expect(unhandled).toEqual([]);
    expect(engine.deadLetters).toHaveLength(1);
  });

  it('dead-letters a handler that throws an object whose message is a list', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e1');
    const engine = await startEngine(
      [partition],
      [
        handlerOf(
          'h',
          [Created],
          () => {
            throw { name: 'BadRequest', message: ['a must be b'] } as unknown as Error;
          },
          { retry: ONCE },
        ),
      ],
      {
        settings: {
          deadLetter: {
            topicName: (t) => `${t}.dlq`,
            includeStack: false,
            redact: redactSecrets,
            onUndeliverable: 'hold',
          },
        },
      },
    );
    engine.kafka.fetch(partition);
    await settle();
    expect(engine.count('deadLetterFailed')).toBe(0);
    expect(engine.deadLetters).toHaveLength(1);
  });

  it('survives a definition whose match throws on the next record of a lane', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e1', { key: 'k', type: '' });
    append(partition, 'e2', { key: 'k', type: '' });
    let looks = 0;
    const Matched = {
      ...Created,
      match: () => {
        if (++looks > 1) throw new Error('match');
        return true;
      },
    };
    const engine = await startEngine([partition], [handlerOf('h', [Matched], () => undefined)]);
    engine.kafka.fetch(partition);
    await settle();
    expect(unhandled).toEqual([]);
  });

  it('does not let a definition whose match throws end the consumer', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e1', { type: '' });
    append(partition, 'e2');
    const Matched = {
      ...Created,
      match: () => {
        throw new Error('match');
      },
    };
    const handled: string[] = [];
    const engine = await startEngine(
      [partition],
      [handlerOf('h', [Matched], (p) => handled.push(idOf(p)))],
    );
    // What leaves onRecords ends the driver's session, and the next one fetches the same record.
    expect(() => engine.kafka.fetch(partition)).not.toThrow();
    await settle();
    expect(handled).toEqual(['e2']);
  });

  it('applies the timeout to a validation that never answers', async () => {
    const clock = new ManualClock();
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e1');
    const Slow = { ...Created, validate: () => new Promise<never>(() => undefined) };
    const engine = await startEngine(
      [partition],
      [handlerOf('h', [Slow], () => undefined, { timeoutMs: 1_000 })],
      { clock },
    );
    engine.kafka.fetch(partition);
    await clock.advanceAsync(60_000);
    await settle();
    expect(engine.count('handlerTimedOut')).toBe(1);
    expect(engine.deadLetters).toHaveLength(1);
  });

  it('goes on with other keys while the dead-letter topic is away', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'bad');
    append(partition, 'good');
    const handled: string[] = [];
    const engine = await startEngine(
      [partition],
      [
        handlerOf(
          'h',
          [Created],
          (payload) => {
            if (idOf(payload) === 'bad') throw new Error('bad');
            handled.push(idOf(payload));
          },
          { retry: ONCE, concurrency: 1 },
        ),
      ],
      // As a sender does until its deadline of 30 s.
      { onDeadLetter: () => new Promise<void>(() => undefined) },
    );
    engine.kafka.fetch(partition);
    await eventually(() => handled.length === 1, { timeoutMs: 1_000 });
  });

  it('redacts a large message without blocking the loop', () => {
    const startedAt = performance.now();
    redactSecrets('a'.repeat(100_000));
    expect(performance.now() - startedAt).toBeLessThan(200);
  });

  it.each([
    'DB_PASSWORD=hunter2',
    'KAFKA_PASS=hunter2',
    'access_token=hunter2',
    '{"refreshToken":"hunter2"}',
    'AWS_SECRET_ACCESS_KEY=hunter2',
  ])('redacts %s', (text) => {
    expect(redactSecrets(text)).not.toContain('hunter2');
  });

  it('reads headers that are called like members of every object', () => {
    // What kafkajs's decoder makes of one header "constructor": it takes the inherited one for a first value.
    const decoded = { constructor: [Object, Buffer.from('x')] } as never;
    expect(toWireHeaders(decoded)).toEqual([['constructor', Buffer.from('x')]]);
  });

  it('survives an observer that is async and rejects', async () => {
    // What a user of plain JavaScript may well write: the types say void.
    const onTombstone = (): unknown => Promise.reject(new Error('observer'));
    const hub = new SignalHub([{ onTombstone }]);
    hub.emit('tombstone', { groupId: 'g', topic: 't', partition: 0, offset: 0n });
    await settle();
    expect(unhandled).toEqual([]);
    expect(hub.counts.observerErrors).toBe(1);
  });
});
