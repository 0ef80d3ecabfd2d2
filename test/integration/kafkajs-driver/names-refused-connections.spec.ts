import { afterEach, beforeAll, expect, it } from '@jest/globals';
import { inspect } from 'node:util';
import type { ConnectionSettings } from '../../../lib/kafka/connection.js';
import { eventually } from '../../support/eventually.js';
import {
  driverFor,
  GroupMember,
  LogLines,
  produce,
  textRecord,
} from '../../support/kafka-driver.js';
import type { SecureListener } from '../../support/kafka-broker.js';
import { describeRealKafka, startPrivateBroker } from '../../support/real-kafka.js';
import { createTopic, uniqueName } from '../../support/unique-topic.js';

const WRONG_PASSWORD = 'not-the-password';

describeRealKafka('the kafkajs driver and a broker with TLS and passwords', () => {
  let secure: SecureListener;
  let topic: string;
  const log = new LogLines();

  beforeAll(async () => {
    const broker = await startPrivateBroker({ secure: true });
    if (broker.secure === undefined) throw new Error('the broker has no secure listener');
    secure = broker.secure;
    topic = await createTopic(broker.brokers);
  }, 60_000);

  afterEach(() => {
    log.lines.length = 0;
  });

  function connect(overrides: Partial<ConnectionSettings> = {}) {
    const { brokers, ca, mechanism, username, password } = secure;
    const settings = { ssl: { ca }, sasl: { mechanism, username, password }, retries: 1 };
    return driverFor(brokers, { ...settings, ...overrides }, log.log);
  }

  async function refusals(driver: ReturnType<typeof connect>): Promise<unknown[]> {
    const refused = (attempt: Promise<unknown>) =>
      attempt.then(
        () => new Error('was let in'),
        (error: unknown) => error,
      );
    const member = new GroupMember(driver, { groupId: uniqueName('group'), topics: [topic] });
    const admin = driver.admin();
    const errors = [
      await refused(member.start()),
      await refused(produce(driver, topic, [textRecord('x')])),
      await refused(admin.describeTopics([topic])),
    ];
    await admin.close();
    return errors;
  }

  it('sends and consumes with the right ones', async () => {
    const driver = connect();
    await produce(driver, topic, [textRecord('hello')]);
    const member = new GroupMember(driver, { groupId: uniqueName('group'), topics: [topic] });
    await member.start();
    await eventually(() => member.values.includes('hello'));
    expect(log.text).not.toContain(secure.password);
  });

  it('names a wrong password, and keeps it to itself', async () => {
    const { mechanism, username } = secure;
    const driver = connect({ sasl: { mechanism, username, password: WRONG_PASSWORD } });
    for (const error of await refusals(driver)) {
      expect(error).toMatchObject({ name: 'DriverError', kind: 'auth', retryable: false });
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(WRONG_PASSWORD);
    }
    expect(log.text).toContain('authentication failed');
    expect(log.text).not.toContain(WRONG_PASSWORD);
  });

  it('names a certificate it was not told to trust', async () => {
    const driver = connect({ ssl: true });
    for (const error of await refusals(driver)) {
      expect(error).toMatchObject({ name: 'DriverError', kind: 'auth' });
      expect(String(error)).toMatch(/certificate is not trusted .*"ssl"/);
    }
  });

  it('says that no broker answers, when none does', async () => {
    const driver = connect({ ssl: false, sasl: null, brokers: ['127.0.0.1:9'] });
    for (const error of await refusals(driver)) {
      expect(error).toMatchObject({ name: 'DriverError', kind: 'retryable' });
      expect(String(error)).toContain('ECONNREFUSED');
    }
  });

  it('refuses topics that are not there, at once', async () => {
    const member = new GroupMember(connect(), {
      groupId: 'group',
      topics: [uniqueName('missing')],
    });
    await expect(member.start()).rejects.toMatchObject({ kind: 'unknown-topic' });
    expect(member.states).toEqual(['joining']);
  });
});
