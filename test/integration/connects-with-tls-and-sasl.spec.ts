import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import {
  DriverError,
  EventHandler,
  EventPublisher,
  KafkaEventsModule,
  type KafkaEventsModuleOptions,
} from '../../lib/index.js';
import { onCleanup } from '../support/cleanup.js';
import { committedToTheEnd, createEventTopic } from '../support/event-topic.js';
import type { KafkaBroker, SecureListener } from '../support/kafka-broker.js';
import { everythingOf, LogCapture } from '../support/log-capture.js';
import { bootApp, quickOptions } from '../support/nest-app.js';
import { describeRealKafka, startPrivateBroker } from '../support/real-kafka.js';
import { OrderCreated } from '../support/shop-events.js';
import { createTlsCertificates } from '../support/tls-certificates.js';
import { uniqueName } from '../support/unique-topic.js';

const WRONG_PASSWORD = 'wrong-battery-staple';

describeRealKafka('a broker with TLS and SCRAM-SHA-256', () => {
  let broker: KafkaBroker;
  let secure: SecureListener;
  let topic: string;
  let otherAuthority: string;

  beforeAll(async () => {
    broker = await startPrivateBroker({ secure: true });
    if (broker.secure === undefined) throw new Error('the broker has no secure listener');
    secure = broker.secure;
    topic = await createEventTopic(broker.brokers, 2);
    const directory = await mkdtemp(join(tmpdir(), 'other-authority-'));
    onCleanup(() => rm(directory, { recursive: true }));
    otherAuthority = (await createTlsCertificates(directory)).ca;
  }, 60_000);

  const handled: string[] = [];

  @Injectable()
  class Orders {
    @EventHandler(OrderCreated)
    handle(@Payload() { orderId }: OrderCreated): void {
      handled.push(orderId);
    }
  }

  function boot(groupId: string, overrides: KafkaEventsModuleOptions, log: LogCapture) {
    const { brokers, ca, mechanism, username, password } = secure;
    const options = quickOptions(brokers, groupId, topic, {
      ssl: { ca: [ca] },
      sasl: { mechanism, username, password },
      onUnavailable: 'fail',
      ...overrides,
    });
    return bootApp({ imports: [KafkaEventsModule.forRoot(options)], providers: [Orders] }, log);
  }

  it('is connected to, published to and consumed from', async () => {
    const groupId = uniqueName('group');
    const log = new LogCapture();
    const app = await boot(groupId, {}, log);
    await app.get(EventPublisher).publish(OrderCreated, { orderId: 'over-tls' });
    await committedToTheEnd(broker.brokers, groupId, topic);
    expect(handled).toEqual(['over-tls']);
    await app.close();
    expect(log.text).not.toContain(secure.password);
  });

  it('refuses a wrong password: the boot fails by name, the password is nowhere', async () => {
    const { mechanism, username } = secure;
    const log = new LogCapture();
    const error: unknown = await boot(
      uniqueName('group'),
      { sasl: { mechanism, username, password: WRONG_PASSWORD } },
      log,
    ).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DriverError);
    expect(error).toMatchObject({ code: 'DRIVER', kind: 'auth' });
    expect(String(error)).toMatch(/authentication failed/i);
    expect(everythingOf(error)).not.toContain(WRONG_PASSWORD);
    expect(log.text).not.toContain(WRONG_PASSWORD);
  });

  it('is refused where its authority is unknown: the boot fails by name, the password is nowhere', async () => {
    const log = new LogCapture();
    const error: unknown = await boot(
      uniqueName('group'),
      { ssl: { ca: [otherAuthority] } },
      log,
    ).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(DriverError);
    expect(error).toMatchObject({ code: 'DRIVER', kind: 'auth' });
    expect(String(error)).toMatch(/certificate is not trusted.*"ssl"/);
    expect(everythingOf(error)).not.toContain(secure.password);
    expect(log.text).not.toContain(secure.password);
  });
});
