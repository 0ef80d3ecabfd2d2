import { describe, expect, it } from '@jest/globals';

import { HEADERS } from '../../../lib/contracts/event-headers.js';
import type { DurablePublisher } from '../../../lib/hybrid/durable-publisher.js';
import { asyncFirst, type AsyncFirstOptions } from '../../../lib/hybrid/hybrid-operation.js';
import type { AsyncFirstResult } from '../../../lib/hybrid/hybrid-result.js';
import {
  DirectDeliveryError,
  InvalidEventError,
  InvalidTargetError,
  PublishDeadlineError,
  StoreUnavailableError,
  UnknownTopicError,
} from '../../../lib/kafka-events.errors.js';
import { settle } from '../../support/engine-events.js';
import { Placed, RECEIPT, World } from '../../support/hybrid-world.js';
import { seededRandom } from '../../support/seeded-random.js';
import { rejectionOf } from '../../support/thrown-by.js';

function operation(options: Partial<AsyncFirstOptions<typeof Placed>> = {}) {
  return asyncFirst({ event: Placed, deadlineMs: 100, ...options });
}

const run = (
  process: DurablePublisher,
  orderId: string,
  options: Partial<AsyncFirstOptions<typeof Placed>> = {},
  n = 0,
): Promise<AsyncFirstResult> => process.publish(operation(options), { orderId, n }, {});

/** What comes of it when time goes on, the relay standing still. */
async function inTime<T>({ clock }: World, running: Promise<T>): Promise<T> {
  const state = { over: false };
  const end = running.finally(() => (state.over = true));
  end.catch(() => undefined);
  await settle(3);
  for (let i = 0; !state.over && i < 3_000; i++) {
    await clock.advanceAsync(20);
    await settle(2);
  }
  return end;
}

const DIRECT = { direct: { to: 'fulfilment' } };

describe('async first', () => {
  it('publishes while the broker is there', async () => {
    const world = new World();
    const result = await run(world.process(), 'a');
    expect(result).toMatchObject({
      path: 'published',
      durable: true,
      eventId: 'e0',
      receipt: { eventId: 'e0', topic: 'orders' },
      direct: null,
      cause: null,
    });
    expect(world.outboxed).toEqual([]);
  });

  it('has the outbox take the same event, byte for byte, when the broker is away', async () => {
    const world = new World();
    world.broker = 'away';
    const result = await run(world.process(), 'a', DIRECT);
    expect(result).toMatchObject({
      path: 'outbox+direct',
      durable: true,
      eventId: 'e0',
      receipt: null,
      direct: RECEIPT,
      directCause: null,
    });
    expect(result.cause).toBeInstanceOf(PublishDeadlineError);
    const [event] = world.outboxed;
    expect(event?.identity).toEqual({
      eventId: 'e0',
      eventType: 'order.placed.v1',
      topic: 'orders',
    });
    const { key, value, headers, timestamp } = event?.record ?? {};
    expect(world.delivered).toEqual([{ topic: 'orders', key, value, headers, timestamp }]);
    expect(headers?.find(([name]) => name === HEADERS.eventId)?.[1]?.toString()).toBe('e0');
  });

  it('tells the direct target until what time of day its answer is waited for', async () => {
    const world = new World();
    world.broker = 'away';
    await run(world.process(), 'a', { direct: { to: 'fulfilment', deadlineMs: 250 } });
    expect(world.limits).toEqual([{ deadlineAt: world.clock.wallTime().getTime() + 250 }]);
  });

  it('says when handlers could not be reached directly: the outbox has it all the same', async () => {
    const world = new World();
    world.broker = 'away';
    world.target = new DirectDeliveryError('held', 'paused');
    const result = await run(world.process(), 'a', DIRECT);
    expect(result).toMatchObject({ path: 'outbox', durable: true, direct: null });
    expect(result.directCause).toBe(world.target);
  });

  it('is not durable without an outbox, and says so', async () => {
    const world = new World();
    world.broker = 'away';
    world.outboxIs = 'none';
    const process = world.process();
    expect(await run(process, 'a', DIRECT)).toMatchObject({ path: 'direct', durable: false });
    const error = await rejectionOf(() => run(process, 'a'));
    expect(error).toMatchObject({ code: 'PUBLISH_DEADLINE', retryable: true, eventId: 'e1' });
    world.target = new DirectDeliveryError('unreachable', 'nobody there');
    expect(await rejectionOf(() => run(process, 'a', DIRECT))).toBeInstanceOf(PublishDeadlineError);
  });

  it('does not fall back for what the event itself is to blame for', async () => {
    const world = new World();
    const process = world.process();
    world.refuses = new UnknownTopicError({ eventId: 'x', eventType: 't', topic: 'orders' });
    expect(await rejectionOf(() => run(process, 'a', DIRECT))).toBe(world.refuses);
    const invalid = process.publish(operation(DIRECT), { orderId: 'a', n: 'one' as never }, {});
    expect(await rejectionOf(() => invalid)).toBeInstanceOf(InvalidEventError);
    const unknown = run(process, 'a', { direct: { to: 'nowhere' } });
    expect(await rejectionOf(() => unknown)).toEqual(
      new InvalidTargetError('there is no "nowhere" in hybrid.directTo; there are "fulfilment"'),
    );
    expect([world.outboxed, world.delivered, world.log]).toEqual([[], [], []]);
  });

  it('tells its caller when neither broker nor outbox take it', async () => {
    const world = new World();
    const process = world.process();
    await run(process, 'a');
    world.broker = world.outboxIs = 'away';
    expect(await rejectionOf(() => run(process, 'a'))).toMatchObject({ code: 'PUBLISH_DEADLINE' });
    expect(await run(process, 'a', DIRECT)).toMatchObject({ path: 'direct', durable: false });
  });
});

describe('an event of a key that is behind the outbox', () => {
  it('goes behind, too, although the broker is back; other keys do not, nor that one later', async () => {
    const world = new World();
    const process = world.process();
    await run(process, 'a');
    world.broker = 'away';
    await run(process, 'a');
    world.broker = 'up';
    await world.clock.advanceAsync(1_000);

    expect(await run(process, 'b')).toMatchObject({ path: 'published' });
    expect(await inTime(world, run(process, 'a'))).toMatchObject({
      path: 'outbox',
      cause: null,
      durable: true,
    });
    world.relay();
    expect(await run(process, 'a')).toMatchObject({ path: 'published' });

    expect(world.ids()).toEqual(['e0', 'e2', 'e1', 'e3', 'e4']);
  });

  it('goes behind what an earlier process had put there, until the outbox was empty once', async () => {
    const world = new World();
    world.broker = 'away';
    await run(world.process(), 'a');
    world.broker = 'up';

    const restarted = world.process();
    expect(await run(restarted, 'b')).toMatchObject({ path: 'published' });
    expect(await inTime(world, run(restarted, 'a'))).toMatchObject({ path: 'outbox' });
    world.relay();
    await run(restarted, 'a');
    const asked = world.asked;
    await run(restarted, 'a');
    await run(restarted, 'c');
    expect(world.asked).toBe(asked);
  });

  it('waits for the relay while the broker is there, so that its key gets out of the outbox again', async () => {
    const world = new World();
    const process = world.process();
    world.broker = 'away';
    await run(process, 'a');
    world.broker = 'up';
    await world.clock.advanceAsync(1_000);
    const next = run(process, 'a');
    await settle();
    await world.clock.advanceAsync(50);
    world.relay();
    expect(await inTime(world, next)).toMatchObject({ path: 'published' });
    expect(world.ids()).toEqual(['e0', 'e1']);
  });

  it('does not go past an outbox that cannot be asked', async () => {
    const world = new World();
    world.broker = 'away';
    const process = world.process();
    await run(process, 'a');
    world.broker = 'up';
    world.outboxIs = 'away';
    expect(await rejectionOf(() => run(process, 'a'))).toBeInstanceOf(StoreUnavailableError);
    expect(world.log).toEqual([]);
  });

  it("goes behind what others have put there with order 'outbox', and past it with 'none'", async () => {
    const world = new World();
    const [ours, others] = [world.process(), world.process()];
    await run(ours, 'a');
    world.broker = 'away';
    await run(others, 'a');
    world.broker = 'up';
    const asking = run(ours, 'a', { order: 'outbox' });
    expect(await inTime(world, asking)).toMatchObject({ path: 'outbox' });
    expect(await run(ours, 'a', { order: 'none' })).toMatchObject({ path: 'published' });
  });
});

describe('events of one key', () => {
  it('stand in line, those of other keys do not', async () => {
    const world = new World();
    const process = world.process();
    await run(process, 'x');
    world.broker = 'held';
    const runs = ['a', 'a', 'b'].map((key) => run(process, key));
    await settle();
    expect(world.held).toHaveLength(2);
    world.broker = 'away';
    for (const answer of world.held) answer();
    await Promise.all(runs);
    // Had the second not waited for what came of the first, it would be in the log before it.
    expect(world.ids(world.outboxed).filter((id) => id !== 'e3')).toEqual(['e1', 'e2']);
    expect(world.publishes).toBe(3);
  });
});

describe('a broker that is away', () => {
  it('is not waited for by every event, and tried again after a while, by one', async () => {
    const world = new World();
    const process = world.process();
    await run(process, 'x');
    world.broker = 'away';
    world.publishes = 0;
    for (const key of ['a', 'b', 'c']) expect((await run(process, key)).path).toBe('outbox');
    expect(world.publishes).toBe(1);

    await world.clock.advanceAsync(1_000);
    await Promise.all(['d', 'e', 'f'].map((key) => run(process, key)));
    expect(world.publishes).toBe(2);

    world.broker = 'up';
    await world.clock.advanceAsync(1_000);
    expect((await run(process, 'g')).path).toBe('published');
    expect((await run(process, 'h')).path).toBe('published');
  });
});

describe('whatever broker, relay and processes do', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'the order of each key is kept, nothing is lost (seed %i)',
    async (seed) => {
      const world = new World();
      const random = seededRandom(seed);
      let process = world.process();
      const expected = new Map<string, number[]>();
      const runs: Promise<unknown>[] = [];
      for (let n = 0; n < 300; n++) {
        const dice = random();
        if (dice < 0.05) world.broker = world.broker === 'up' ? 'away' : 'up';
        else if (dice < 0.25) world.relay(Math.ceil(random() * 3));
        else if (dice < 0.28) {
          await inTime(world, Promise.all(runs.splice(0)));
          process = world.process();
        } else if (dice < 0.35) await world.clock.advanceAsync(500);
        const key = `k${String(Math.floor(random() * 4))}`;
        expected.set(key, [...(expected.get(key) ?? []), n]);
        runs.push(run(process, key, {}, n));
        if (random() < 0.5) await settle(2);
      }
      await inTime(world, Promise.all(runs));
      world.broker = 'up';
      world.relay();
      for (const [key, numbers] of expected) {
        const published = world.log
          .map(({ record }) => JSON.parse(String(record.value)) as { orderId: string; n: number })
          .filter(({ orderId }) => orderId === key)
          .map(({ n }) => n);
        expect(published).toEqual(numbers);
      }
    },
  );
});
