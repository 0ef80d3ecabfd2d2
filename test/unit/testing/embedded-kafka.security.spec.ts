import { connect as connectTcp } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import type { KafkaConfig, SASLOptions } from 'kafkajs';
import type { EmbeddedKafka } from '../../../lib/testing/embedded-kafka/embedded-kafka.js';
import { kafkaJs, startEmbeddedKafka } from '../../support/embedded-kafka.js';
import { loopbackCertificate } from '../../support/loopback-certificate.js';

const PASSWORD = 'p,w=ü';
const MECHANISMS = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
const ssl = { ca: [loopbackCertificate.cert] };

describe('listeners of several kinds, side by side', () => {
  it.each(MECHANISMS)(
    'lets in who proves the password by %s, over TCP and TLS',
    async (mechanism) => {
      const kafka = await start();
      const sasl = credentials(mechanism, PASSWORD);
      expect(await topicsSeenBy(kafka, 'sasl', { sasl })).toEqual(['orders']);
      expect(await topicsSeenBy(kafka, 'sasl over tls', { sasl, ssl })).toEqual(['orders']);
    },
  );

  it.each(MECHANISMS)('turns away a wrong password or user by %s', async (mechanism) => {
    const kafka = await start();
    for (const sasl of [credentials(mechanism, 'guess'), credentials(mechanism, PASSWORD, 'eve')]) {
      await expect(topicsSeenBy(kafka, 'sasl', { sasl })).rejects.toMatchObject({
        name: 'KafkaJSSASLAuthenticationError',
      });
    }
    expect(kafka.requestsOf('Metadata')).toEqual([]);
  });

  it('turns away who does not authenticate, or in a way that is not offered', async () => {
    const kafka = await startEmbeddedKafka({
      listeners: [{ name: 'sasl', sasl: { mechanisms: ['SCRAM-SHA-512'], users: { shop: 'x' } } }],
    });
    await expect(topicsSeenBy(kafka, 'sasl', {})).rejects.toThrow('Closed connection');
    const sasl = credentials('plain', 'x');
    await expect(topicsSeenBy(kafka, 'sasl', { sasl })).rejects.toThrow(
      'does not support the requested SASL mechanism',
    );
    expect(kafka.requestsOf('Metadata')).toEqual([]);
  });

  it('advertises to each client the ports of its own listener', async () => {
    const kafka = await start();
    const sasl = credentials('plain', PASSWORD);
    for (const [listener, config] of [
      ['plain', {}],
      ['tls', { ssl }],
      ['sasl', { sasl }],
    ] as const) {
      const admin = kafkaJs(kafka.brokersOf(listener), config).admin();
      await admin.connect();
      const { brokers } = await admin.describeCluster();
      await admin.disconnect();
      expect(brokers.map(({ port }) => `127.0.0.1:${String(port)}`)).toEqual(
        kafka.brokersOf(listener),
      );
    }
  });

  it('hangs up on who speaks no TLS, and stops while somebody has not said a word', async () => {
    const kafka = await start();
    const port = Number(kafka.brokersOf('tls')[0]?.split(':')[1]);
    const plain = connectTcp(port).on('error', () => undefined);
    plain.write('GET / HTTP/1.1\r\n\r\n');
    plain.resume();
    await once(plain, 'close');

    const silent = connectTcp(port).on('error', () => undefined);
    await once(silent, 'connect');
    silent.resume();
    await Promise.all([once(silent, 'close'), kafka.stop()]);
  });
});

function start(): Promise<EmbeddedKafka> {
  const users = { shop: PASSWORD };
  const sasl = { mechanisms: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const, users };
  return startEmbeddedKafka({
    brokers: 2,
    topics: [{ topic: 'orders' }],
    listeners: [
      { name: 'plain' },
      { name: 'tls', tls: loopbackCertificate },
      { name: 'sasl', sasl },
      { name: 'sasl over tls', sasl, tls: loopbackCertificate },
    ],
  });
}

function credentials(
  mechanism: (typeof MECHANISMS)[number],
  password: string,
  username = 'shop',
): SASLOptions {
  // One type for each mechanism, all alike.
  return { mechanism, username, password };
}

async function topicsSeenBy(
  kafka: EmbeddedKafka,
  listener: string,
  config: Partial<KafkaConfig>,
): Promise<string[]> {
  const retry = { retries: 0 };
  const admin = kafkaJs(kafka.brokersOf(listener), { ...config, retry }).admin();
  try {
    await admin.connect();
    return await admin.listTopics();
  } finally {
    await admin.disconnect();
  }
}
