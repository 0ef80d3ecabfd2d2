import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from '@jest/globals';
import { Injectable, type Type } from '@nestjs/common';
import { Ctx, Payload } from '@nestjs/microservices';
import {
  DriverError,
  EventContext,
  EventHandler,
  KafkaEventsModule,
  NonRetryableEventError,
  type KafkaDriver,
  type KafkaEventsModuleOptions,
} from '../../lib/index.js';
import { kafkaJsDriver } from '../../lib/kafka/drivers/kafkajs/kafkajs-driver.js';
import {
  committedOffsets,
  committedToTheEnd,
  createDeadLetterTopic,
  createEventTopic,
  eventRecord,
} from '../support/event-topic.js';
import { eventually } from '../support/eventually.js';
import { driverFor, produce } from '../support/kafka-driver.js';
import { headerOf, readWithKcat } from '../support/kcat.js';
import { bootApp, quickOptions } from '../support/nest-app.js';
import { describeEachKafka } from '../support/each-kafka.js';
import { OrderCreated } from '../support/shop-events.js';
import { createTopic, uniqueName } from '../support/unique-topic.js';

describeEachKafka('a poison record', (brokers) => {
  const driver = driverFor(brokers);

  async function handleWith(
    handler: Type,
    groupId: string,
    topic: string,
    options?: KafkaEventsModuleOptions,
  ) {
    return bootApp({
      imports: [KafkaEventsModule.forRoot(quickOptions(brokers, groupId, topic, options))],
      providers: [handler],
    });
  }

  it('is dead-lettered as it is, and the records behind it go on', async () => {
    const topic = await createEventTopic(brokers);
    const groupId = uniqueName('group');
    await produce(driver, topic, [order('first')]);
    await writeWithKcat(topic, 'key-of-poison', [
      ...['event-type=order.created.v1', 'event-id=poison', 'tag=one', 'tag', 'tag=', 'tag=two'],
    ]);
    await produce(driver, topic, [order('last')]);
    const handled: string[] = [];

    @Injectable()
    class Orders {
      @EventHandler(OrderCreated, { ordering: 'partition' })
      handle(@Payload() { orderId }: OrderCreated): void {
        handled.push(orderId);
      }
    }
    await handleWith(Orders, groupId, topic);
    await committedToTheEnd(brokers, groupId, topic);

    expect(handled).toEqual(['first', 'last']);
    const original = (await readWithKcat(brokers, topic))[1];
    const [copy, ...others] = await readWithKcat(brokers, `${topic}.dlq`);
    if (original === undefined || copy === undefined) throw new Error('kcat read too little');
    expect(others).toEqual([]);
    expect(original.key).toEqual(Buffer.from('key-of-poison'));
    expect(copy).toMatchObject({ key: original.key, value: original.value });
    expect(copy.value).toEqual(Buffer.from([0x7b, 0xff, 0x00, 0x0a]));
    expect(copy.headers.slice(0, original.headers.length)).toEqual(original.headers);
    expect(original.headers.filter(([name]) => name === 'tag')).toEqual([
      ...[['tag', 'one'] as const, ['tag', null] as const],
      ...[['tag', ''] as const, ['tag', 'two'] as const],
    ]);
    expect(Object.fromEntries(copy.headers.slice(original.headers.length))).toMatchObject({
      'dlq-original-topic': topic,
      'dlq-original-partition': '0',
      'dlq-original-offset': '1',
      'dlq-group': groupId,
      'dlq-reason': 'undecodable',
    });
  });

  it('stops neither its partition nor its key when its handler gives it up', async () => {
    const topic = await createEventTopic(brokers);
    const groupId = uniqueName('group');
    const ids = ['a', 'poison', 'b', 'failing', 'c'];
    await produce(
      driver,
      topic,
      ids.map((id) => order(id, 'one-key')),
    );
    const attempts: string[] = [];

    @Injectable()
    class Orders {
      @EventHandler(OrderCreated, { retry: { attempts: 3 } })
      handle(@Payload() { orderId }: OrderCreated): void {
        attempts.push(orderId);
        if (orderId === 'poison') throw new NonRetryableEventError('no good');
        if (orderId === 'failing') throw new Error('not today');
      }
    }
    await handleWith(Orders, groupId, topic);
    await committedToTheEnd(brokers, groupId, topic);

    expect(attempts).toEqual(['a', 'poison', 'b', 'failing', 'failing', 'failing', 'c']);
    const letters = await readWithKcat(brokers, `${topic}.dlq`);
    expect(
      letters.map((letter) =>
        ['event-id', 'dlq-reason', 'dlq-attempts', 'dlq-error-message', 'dlq-handler'].map((name) =>
          headerOf(letter, name),
        ),
      ),
    ).toEqual([
      ['poison', 'non-retryable', '1', 'no good', 'Orders.handle'],
      ['failing', 'retries-exhausted', '3', 'not today', 'Orders.handle'],
    ]);
  });

  it('holds the offset while its dead letter is refused, through a restart as well', async () => {
    const topic = await createEventTopic(brokers);
    const groupId = uniqueName('group');
    await produce(
      driver,
      topic,
      ['a', 'poison', 'b', 'c'].map((id) => order(id)),
    );
    const handled: string[] = [];
    let poisonRuns = 0;
    let refused = 0;
    let refusing = true;

    @Injectable()
    class Orders {
      @EventHandler(OrderCreated)
      handle(@Payload() { orderId }: OrderCreated): void {
        if (orderId === 'poison') {
          poisonRuns++;
          throw new NonRetryableEventError('no good');
        }
        handled.push(orderId);
      }
    }
    const options: KafkaEventsModuleOptions = {
      driver: (connection) =>
        withoutDeadLetters(
          kafkaJsDriver(connection, () => undefined),
          () => {
            if (refusing) refused++;
            return refusing;
          },
        ),
    };
    const app = await handleWith(Orders, groupId, topic, options);
    await eventually(() => refused >= 3 && handled.length === 3);
    expect(poisonRuns).toBe(1);
    const closingAt = performance.now();
    await app.close();
    // Nobody waits for a topic that refuses, least of all a shutdown.
    expect(performance.now() - closingAt).toBeLessThan(5000);
    expect(await committedOffsets(brokers, groupId, topic)).toEqual([1]);
    expect(await readWithKcat(brokers, `${topic}.dlq`)).toEqual([]);

    refusing = false;
    await handleWith(Orders, groupId, topic, options);
    await committedToTheEnd(brokers, groupId, topic);
    const letters = await readWithKcat(brokers, `${topic}.dlq`);
    expect(letters.map((letter) => headerOf(letter, 'event-id'))).toEqual(['poison']);
  });

  it('waits for a dead-letter topic that is created later', async () => {
    const topic = await createTopic(brokers, { name: uniqueName('events') });
    const groupId = uniqueName('group');
    await produce(
      driver,
      topic,
      ['poison', 'b'].map((id) => order(id)),
    );
    const failures: string[] = [];
    const handled: string[] = [];

    @Injectable()
    class Orders {
      @EventHandler(OrderCreated)
      handle(@Payload() { orderId }: OrderCreated): void {
        if (orderId === 'poison') throw new NonRetryableEventError('no good');
        handled.push(orderId);
      }
    }
    await handleWith(Orders, groupId, topic, {
      topics: 'unchecked',
      observers: [{ onDeadLetterFailed: ({ deadLetterTopic }) => failures.push(deadLetterTopic) }],
    });
    await eventually(() => failures.length > 0 && handled.length > 0, { timeoutMs: 20_000 });
    expect(failures).toContain(`${topic}.dlq`);
    // A group that has not moved has no offset yet.
    expect(await committedOffsets(brokers, groupId, topic)).toEqual([-1]);

    await createDeadLetterTopic(brokers, topic);
    await committedToTheEnd(brokers, groupId, topic);
    const letters = await readWithKcat(brokers, `${topic}.dlq`);
    expect(letters.map((letter) => headerOf(letter, 'event-id'))).toEqual(['poison']);
    expect(handled).toEqual(['b']);
  });

  it('of one handler does not run the other one again', async () => {
    const topic = await createEventTopic(brokers);
    const groupId = uniqueName('group');
    await produce(
      driver,
      topic,
      ['a', 'poison', 'b'].map((id) => order(id, 'one-key')),
    );
    const reserved: string[] = [];
    const mailed: string[] = [];

    @Injectable()
    class Orders {
      @EventHandler(OrderCreated)
      reserve(@Payload() { orderId }: OrderCreated): void {
        reserved.push(orderId);
      }

      @EventHandler(OrderCreated, { retry: { attempts: 4 } })
      mail(@Payload() { orderId }: OrderCreated, @Ctx() event: EventContext): void {
        mailed.push(orderId === 'poison' ? `poison ${event.attempt}` : orderId);
        if (orderId === 'poison') throw new Error('no such address');
      }
    }
    await handleWith(Orders, groupId, topic);
    await committedToTheEnd(brokers, groupId, topic);

    expect(reserved).toEqual(['a', 'poison', 'b']);
    expect(mailed).toEqual(['a', 'poison 1', 'poison 2', 'poison 3', 'poison 4', 'b']);
    const letters = await readWithKcat(brokers, `${topic}.dlq`);
    expect(letters.map((letter) => headerOf(letter, 'dlq-handler'))).toEqual(['Orders.mail']);
  });

  /** Writes bytes that are no JSON, with a client that is not ours; a header without `=` is null. */
  async function writeWithKcat(topic: string, key: string, headers: string[]): Promise<void> {
    const args = ['-b', brokers.join(','), '-t', topic, '-P', '-k', key, '-D', 'end-of-record'];
    const kcat = spawn('kcat', [...args, ...headers.flatMap((header) => ['-H', header])]);
    kcat.stdin.end(Buffer.from([0x7b, 0xff, 0x00, 0x0a]));
    const [exitCode] = (await once(kcat, 'close')) as [number];
    expect(exitCode).toBe(0);
  }
});

function order(orderId: string, key = orderId) {
  return eventRecord({ id: orderId, type: 'order.created.v1', key, payload: { orderId } });
}

/** A driver whose producers are refused by dead-letter topics for as long as `refuse` says so. */
function withoutDeadLetters(driver: KafkaDriver, refuse: () => boolean): KafkaDriver {
  return {
    name: driver.name,
    consumer: (config) => driver.consumer(config),
    admin: () => driver.admin(),
    producer: () => {
      const producer = driver.producer();
      return {
        send: (topic, records) =>
          topic.endsWith('.dlq') && refuse()
            ? Promise.reject(new DriverError('retryable', 'refused by the test'))
            : producer.send(topic, records),
        close: () => producer.close(),
      };
    },
  };
}
