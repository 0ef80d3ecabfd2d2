import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from '@jest/globals';
import { PublishBufferFullError, PublishDeadlineError } from '../../../lib/kafka-events.errors.js';
import type { EncodedEvent } from '../../../lib/publishing/event-encoder.js';
import { PublishBuffer } from '../../../lib/publishing/publish-buffer.js';
import { ManualClock } from '../../support/manual-clock.js';

function start(bounds: { events?: number; bytes?: number; onBufferFull?: 'wait' | 'fail' } = {}) {
  const clock = new ManualClock();
  const { events = 2, bytes = 1_000, onBufferFull = 'wait' } = bounds;
  const buffer = new PublishBuffer(
    { maxBufferedEvents: events, maxBufferedBytes: bytes, onBufferFull },
    clock,
  );
  const started: string[] = [];
  const finish = new Map<string, () => void>();
  const outcomes = new Map<string, unknown>();
  const run = (id: string, size = 1, deadlineMs = 1_000): void => {
    const event = encoded(id, size, deadlineMs, clock);
    const task = () => {
      started.push(id);
      return new Promise<string>((resolve) => {
        finish.set(id, () => {
          resolve(`${id} sent`);
        });
      });
    };
    buffer.run(event, task).then(
      (value) => outcomes.set(id, value),
      (error: unknown) => outcomes.set(id, error),
    );
  };
  const done = async (id: string): Promise<void> => {
    finish.get(id)?.();
    await turn();
  };
  return { clock, buffer, started, outcomes, run, done };
}

function encoded(eventId: string, bytes: number, deadlineMs: number, clock: ManualClock) {
  const event: EncodedEvent = {
    identity: { eventId, eventType: 'order.created.v1', topic: 'orders' },
    record: { key: null, value: null, headers: [], timestamp: 0 },
    bytes,
    deadlineMs,
    deadlineAt: clock.now() + deadlineMs,
  };
  return event;
}

describe('PublishBuffer', () => {
  it('starts at once, in the same call, what there is room for', () => {
    const { started, run, buffer } = start();
    run('a', 10);
    run('b', 20);
    expect(started).toEqual(['a', 'b']);
    expect(buffer).toMatchObject({ events: 2, bytes: 30, waiting: 0 });
  });

  it('makes the others wait in line until there is room again', async () => {
    const { started, outcomes, run, done, buffer } = start();
    for (const id of ['a', 'b', 'c', 'd']) run(id);
    expect(started).toEqual(['a', 'b']);
    expect(buffer.waiting).toBe(2);
    await done('b');
    expect(started).toEqual(['a', 'b', 'c']);
    await done('a');
    expect(started).toEqual(['a', 'b', 'c', 'd']);
    expect(outcomes.get('a')).toBe('a sent');
  });

  it('frees the room of what failed, too', async () => {
    const { clock, buffer } = start({ events: 1 });
    const failing = buffer.run(encoded('a', 5, 1_000, clock), () =>
      Promise.reject(new Error('no')),
    );
    await expect(failing).rejects.toThrow('no');
    expect(buffer).toMatchObject({ events: 0, bytes: 0 });
  });

  it('counts bytes as well', async () => {
    const { started, run, done } = start({ events: 10, bytes: 100 });
    run('a', 60);
    run('b', 50);
    expect(started).toEqual(['a']);
    await done('a');
    expect(started).toEqual(['a', 'b']);
  });

  it('lets nobody overtake who waits, even where there would be room', async () => {
    const { started, run, done } = start({ events: 10, bytes: 100 });
    run('a', 60);
    run('large', 50);
    run('small', 1);
    expect(started).toEqual(['a']);
    await done('a');
    expect(started).toEqual(['a', 'large', 'small']);
  });

  it('takes an event larger than itself when it is empty', async () => {
    const { started, run, done } = start({ bytes: 100 });
    run('huge', 101);
    run('b', 1);
    expect(started).toEqual(['huge']);
    await done('huge');
    expect(started).toEqual(['huge', 'b']);
  });

  it('rejects who waits beyond its own deadline, and lets the next one in', async () => {
    const { clock, started, outcomes, run, buffer } = start({ events: 10, bytes: 100 });
    run('a', 60, 10_000);
    run('large', 50, 500);
    run('small', 1, 2_000);
    await clock.advanceAsync(500);
    await turn();
    const error = outcomes.get('large');
    expect(error).toBeInstanceOf(PublishDeadlineError);
    expect(error).toMatchObject({ eventId: 'large', retryable: true });
    expect((error as Error).cause).toBeInstanceOf(PublishBufferFullError);
    expect(started).toEqual(['a', 'small']);
    expect(buffer.waiting).toBe(0);
  });

  it('wakes for each deadline in turn, and leaves no timer when empty', async () => {
    const { clock, outcomes, run, done } = start({ events: 1 });
    run('a', 1, 10_000);
    run('b', 1, 900);
    run('c', 1, 300);
    run('d', 1, 5_000);
    expect(clock.pending).toBe(1);
    await clock.advanceAsync(300);
    await turn();
    expect([...outcomes.keys()]).toEqual(['c']);
    await clock.advanceAsync(600);
    await turn();
    expect([...outcomes.keys()]).toEqual(['c', 'b']);
    await done('a');
    await done('d');
    expect(outcomes.size).toBe(4);
    expect(clock.pending).toBe(0);
  });

  it('fails at once where it is told to', async () => {
    const { outcomes, run, buffer } = start({ events: 1, onBufferFull: 'fail' });
    run('a');
    run('b');
    await turn();
    expect(outcomes.get('b')).toBeInstanceOf(PublishBufferFullError);
    expect(outcomes.get('b')).toMatchObject({ eventId: 'b', retryable: true });
    expect(buffer.waiting).toBe(0);
  });

  it('tells when it is empty: nothing sent, nothing waiting', async () => {
    const { run, done, buffer } = start({ events: 1 });
    await buffer.whenEmpty();
    run('a');
    run('b');
    let empty = false;
    void buffer.whenEmpty().then(() => (empty = true));
    await done('a');
    expect(empty).toBe(false);
    await done('b');
    expect(empty).toBe(true);
  });
});
