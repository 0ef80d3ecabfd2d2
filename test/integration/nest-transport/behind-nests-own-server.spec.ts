import { expect, it } from '@jest/globals';
import { Controller, UseFilters, UseGuards, UseInterceptors } from '@nestjs/common';
import { EventPattern, MessagePattern, Payload, RpcException } from '@nestjs/microservices';

import {
  IdempotencyInterceptor,
  MemoryIdempotencyStore,
  NonRetryableEventError,
  RetryDeadLetterFilter,
  type KafkaEventsObserver,
} from '../../../lib/index.js';
import { describeEachKafka } from '../../support/each-kafka.js';
import { eventually } from '../../support/eventually.js';
import { committedOffsetOf, deadLettersAt } from '../../support/pattern-shop.js';
import {
  bootPlainApp,
  plainPlace,
  sendPlain,
  type PlainPlace,
} from '../../support/plain-server.js';
import { rejectionOf } from '../../support/thrown-by.js';

const event = (eventId: string, value = '{}') => ({ value, headers: { 'event-id': eventId } });

const committed = ({ brokers, topic, groupId }: PlainPlace) =>
  committedOffsetOf(brokers, topic, `${groupId}-server`);

describeEachKafka('behind Nest’s own ServerKafka', (brokers) => {
  it('an event is handled once, and its offset committed', async () => {
    const place = await plainPlace(brokers);
    const seen: string[] = [];
    @Controller()
    @UseInterceptors(IdempotencyInterceptor)
    class Orders {
      @EventPattern([place.topic])
      created(@Payload() value: string): void {
        seen.push(value);
      }
    }
    await sendPlain(place, event('e-1', 'a'), event('e-1', 'a again'), event('e-2', 'b'));
    const app = await bootPlainApp(place, [Orders]);

    await eventually(async () => (await committed(place)) === 3n);
    expect(seen).toEqual(['a', 'b']);
    await app.close();

    // Another process, with a memory of its own: only what was not committed comes again.
    await bootPlainApp(place, [Orders]);
    await sendPlain(place, event('e-3', 'c'));
    await eventually(() => seen.length === 3);
    expect(seen).toEqual(['a', 'b', 'c']);
  });

  it('auto-commit is refused at the boot, or at the first record of one connected later', async () => {
    const place = await plainPlace(brokers);
    let runs = 0;
    const errors: unknown[] = [];
    class Noting extends RetryDeadLetterFilter {
      override catch(...args: Parameters<RetryDeadLetterFilter['catch']>) {
        errors.push(args[0]);
        return super.catch(...args);
      }
    }
    @Controller()
    @UseFilters(Noting)
    @UseInterceptors(IdempotencyInterceptor)
    class Orders {
      @EventPattern([place.topic])
      created(_value: unknown): void {
        runs++;
      }
    }
    await sendPlain(place, event('e-1'));
    const refusal = expect.objectContaining({
      name: 'AutoCommitError',
      code: 'AUTO_COMMIT',
      message: expect.stringContaining('set options.run.autoCommit to false'),
    });

    expect(await rejectionOf(() => bootPlainApp(place, [Orders], { run: {} }))).toEqual(refusal);
    await bootPlainApp(place, [Orders], { run: {}, late: true });

    await eventually(() => errors.length > 1);
    expect(errors[0]).toEqual(refusal);
    expect(runs).toBe(0);
    expect(await committed(place)).toBeLessThanOrEqual(0n);
  });

  it('a retry topic for all handlers is refused at the boot: nobody would consume it', async () => {
    const place = await plainPlace(brokers);
    @Controller()
    @UseFilters(RetryDeadLetterFilter)
    class Orders {
      @EventPattern([place.topic])
      created(_value: unknown): void {
        throw new Error('not called here');
      }
    }
    const module = { retryTopic: { delaysMs: [1_000] } };
    expect(await rejectionOf(() => bootPlainApp(place, [Orders], { module }))).toMatchObject({
      code: 'INVALID_HANDLER',
      message: expect.stringContaining('use KafkaEventsServer'),
    });
  });

  it('a failing handler is retried while there is time, then its record is dead-lettered', async () => {
    const place = await plainPlace(brokers);
    const seen: string[] = [];
    @Controller()
    @UseFilters(RetryDeadLetterFilter)
    @UseInterceptors(IdempotencyInterceptor)
    class Orders {
      @EventPattern([place.topic])
      created(@Payload() value: string): void {
        seen.push(value);
        if (value === 'flaky' && seen.length === 1) throw new Error('once');
        if (value === 'poison') throw new Error('always');
        if (value === 'refused') throw new NonRetryableEventError('never');
      }
      @UseGuards({ canActivate: () => false })
      @EventPattern([place.topic])
      guarded(_value: unknown): void {
        seen.push('behind the guard');
      }
    }
    await sendPlain(place, event('e-1', 'flaky'), event('e-2', 'poison'), event('e-3', 'refused'));
    await bootPlainApp(place, [Orders]);

    await eventually(async () => (await committed(place)) === 3n);
    expect(seen).toEqual(['flaky', 'flaky', 'poison', 'poison', 'poison', 'refused']);
    const letters = await deadLettersAt(brokers, `${place.topic}.dlq`, 5);
    const told = letters.map(({ value, reason, handler, attempts }) => ({
      value,
      reason,
      handler,
      attempts,
    }));
    expect(told.filter(({ handler }) => handler !== null)).toEqual([
      { value: 'poison', reason: 'retries-exhausted', handler: 'Orders.created', attempts: 3 },
      { value: 'refused', reason: 'non-retryable', handler: 'Orders.created', attempts: 1 },
    ]);
    // A guard runs before the interceptor: nobody knows of which handler.
    expect(told.filter(({ handler }) => handler === null)).toEqual(
      ['flaky', 'poison', 'refused'].map((value) => ({
        value,
        reason: 'rejected-by-guard',
        handler: null,
        attempts: 1,
      })),
    );
  });

  it('the offset waits for all handlers of a pattern, and those that succeeded are not run again', async () => {
    const place = await plainPlace(brokers);
    const runs = { steady: 0, failing: 0 };
    let broken = true;
    @Controller()
    @UseInterceptors(IdempotencyInterceptor)
    class Both {
      @EventPattern([place.topic])
      steady(_value: unknown): void {
        runs.steady++;
      }
      @EventPattern([place.topic])
      failing(_value: unknown): void {
        runs.failing++;
        if (broken) throw new Error('not yet');
      }
    }
    await sendPlain(place, event('e-1'));
    await bootPlainApp(place, [Both]);

    await eventually(() => runs.failing >= 3);
    expect(await committed(place)).toBe(-1n);
    broken = false;

    await eventually(async () => (await committed(place)) === 1n);
    expect(runs.steady).toBe(1);
  });

  it('what cannot be retried in a third of the session is delivered again, its attempts counted', async () => {
    const place = await plainPlace(brokers);
    let runs = 0;
    @Controller()
    @UseFilters(RetryDeadLetterFilter)
    @UseInterceptors(IdempotencyInterceptor)
    class Orders {
      @EventPattern([place.topic])
      created(_value: unknown): void {
        runs++;
        throw new Error('always');
      }
    }
    await sendPlain(place, event('e-1'));
    await bootPlainApp(place, [Orders], {
      module: { retry: { attempts: 4, initialDelayMs: 5_000, maxDelayMs: 5_000, jitter: 0 } },
    });

    const [letter] = await deadLettersAt(brokers, `${place.topic}.dlq`, 1);
    expect(letter).toMatchObject({ reason: 'retries-exhausted', attempts: 4 });
    expect(runs).toBe(4);
    await eventually(async () => (await committed(place)) === 1n);
  });

  it('a request is answered by Nest, each time it comes', async () => {
    const place = await plainPlace(brokers);
    let runs = 0;
    @Controller()
    @UseFilters(RetryDeadLetterFilter)
    @UseInterceptors(IdempotencyInterceptor)
    class Rpc {
      @MessagePattern([place.topic])
      ask(@Payload() value: string): string {
        runs++;
        if (value === 'bad') throw new RpcException('no such order');
        return `answer to ${value}`;
      }
    }
    const request = (value: string, id: string) => ({
      value,
      headers: { kafka_correlationId: id, kafka_replyTopic: place.replyTopic, 'event-id': 'same' },
    });
    await sendPlain(place, request('a', '1'), request('a', '2'), request('bad', '3'));
    await bootPlainApp(place, [Rpc]);

    const replies = await deadLettersAt(brokers, place.replyTopic, 3);
    expect(runs).toBe(3);
    const errors = replies.flatMap(({ headers }) => headers['kafka_nest-err'] ?? []);
    expect(replies.filter(({ value }) => value === 'answer to a')).toHaveLength(2);
    expect(errors).toEqual([expect.stringContaining('no such order')]);
  });

  it('waits for whoever else is at the event, and handles it when their lease is over', async () => {
    const place = await plainPlace(brokers);
    const store = new MemoryIdempotencyStore();
    const key = [`${place.groupId}-server`, 'Orders.created', '', place.topic, '', '', 'e-1'];
    store.claim([
      { key: key.join('\u0000'), token: 'elsewhere', leaseMs: 600, level: 0, retentionMs: 60_000 },
    ]);
    const seen: string[] = [];
    const waits: unknown[] = [];
    const observer: KafkaEventsObserver = { onLeaseWait: (signal) => waits.push(signal) };
    @Controller()
    @UseInterceptors(IdempotencyInterceptor)
    class Orders {
      @EventPattern([place.topic])
      created(@Payload() value: string): void {
        seen.push(value);
      }
    }
    await sendPlain(place, event('e-1', 'a'));
    await bootPlainApp(place, [Orders], {
      module: { idempotency: { store }, observers: [observer] },
    });

    await eventually(() => seen.length === 1);
    expect(waits.length).toBeGreaterThan(0);
  });

  it('the store away: records wait for it, or are handled without it, as the module says', async () => {
    for (const onStoreError of ['pause', 'process'] as const) {
      const place = await plainPlace(brokers);
      const store = new AwayStore();
      const seen: string[] = [];
      @Controller()
      @UseInterceptors(IdempotencyInterceptor)
      class Orders {
        @EventPattern([place.topic])
        created(@Payload() value: string): void {
          seen.push(value);
        }
      }
      await sendPlain(place, event('e-1', onStoreError));
      await bootPlainApp(place, [Orders], {
        module: { idempotency: { store, onStoreError } },
      });

      await eventually(() => store.asked > 0);
      if (onStoreError === 'pause') expect(seen).toEqual([]);
      store.away = onStoreError === 'process';
      await eventually(async () => (await committed(place)) === 1n);
      expect(seen).toEqual([onStoreError]);
    }
  });
});

/** A store that can be away. */
class AwayStore extends MemoryIdempotencyStore {
  away = true;
  asked = 0;

  override claim(...args: Parameters<MemoryIdempotencyStore['claim']>) {
    this.asked++;
    if (this.away) throw new Error('the store is away');
    return super.claim(...args);
  }
}
