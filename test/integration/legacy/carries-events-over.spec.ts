import { expect, it } from '@jest/globals';

import {
  acceptAs,
  defineSyncService,
  event,
  EventPublisher,
  httpJson,
  KafkaEventsHealth,
  legacyCall,
  syncService,
  type LegacyCall,
  type SyncServiceOptions,
} from '../../../lib/index.js';
import { EventSpy } from '../../../lib/testing/event-spy.js';
import { KafkaEventsTestingModule } from '../../../lib/testing/kafka-events-testing.module.js';
import { describeEachKafka } from '../../support/each-kafka.js';
import { eventually } from '../../support/eventually.js';
import { json, LegacyServer } from '../../support/legacy-server.js';
import { OrderCreated, StockReserved } from '../../support/shop-events.js';
import { bootTesting } from '../../support/spied-shop.js';
import { uniqueName } from '../../support/unique-topic.js';

interface BillingApi {
  createInvoice(request: { readonly ref: string }): Promise<{ readonly no: string }>;
}

const Billing = defineSyncService<BillingApi>({ name: 'billing' });

type InvoiceCall = LegacyCall<typeof OrderCreated, BillingApi, 'createInvoice'>;

describeEachKafka('events that a system of old is told of', (brokers) => {
  async function boot(
    given: Partial<InvoiceCall> = {},
    options: Partial<SyncServiceOptions<BillingApi>> = {},
  ) {
    const server = await LegacyServer.start();
    const prefix = uniqueName('legacy');
    const transport = httpJson<BillingApi>({
      baseUrl: server.url,
      methods: { createInvoice: { verb: 'POST', path: '/invoices' } },
    });
    const app = await bootTesting({
      imports: [
        KafkaEventsTestingModule.forRoot({
          brokers,
          topicName: (topic) => `${prefix}.${topic}`,
          consumer: { groupId: prefix },
          retry: { attempts: 3 },
          sync: {
            services: [
              syncService(Billing, {
                transport,
                breaker: { calls: 4, minCalls: 4, openMs: 300, maxOpenMs: 300, probes: 1 },
                ...options,
              }),
            ],
          },
        }),
      ],
      providers: [
        legacyCall({
          id: 'invoices',
          event: OrderCreated,
          service: Billing,
          method: 'createInvoice',
          request: ({ orderId }) => ({ ref: orderId }),
          reply: ({ no }) => event(StockReserved, { sku: no }),
          ...given,
        }),
      ],
    });
    const publish = (orderId: string) =>
      app
        .get(EventPublisher)
        .publish(
          OrderCreated,
          { orderId },
          { eventId: `event-${orderId}`, correlationId: 'story' },
        );
    return { server, publish, spy: app.get(EventSpy), health: app.get(KafkaEventsHealth) };
  }

  it('become calls, with the event’s id as idempotency key, and what they mean an event', async () => {
    const { server, publish, spy } = await boot();
    server.answer(json(201, { no: 'R-1' }));
    await publish('1');
    await spy.published(StockReserved, ({ sku }) => sku === 'R-1');
    expect(server.requests).toMatchObject([
      {
        ...{ method: 'POST', url: '/invoices', body: '{"ref":"1"}' },
        headers: { 'idempotency-key': 'event-1', 'correlation-id': 'story' },
      },
    ]);
    await publish('1');
    await publish('2');
    await eventually(() => server.requests.length === 2);
    expect(server.requests[1]?.body).toBe('{"ref":"2"}');
  });

  it('are dead-lettered at once where the system blames them', async () => {
    const { server, publish, spy } = await boot();
    server.answer(json(422, { reason: 'no such customer' }));
    await publish('1');
    const letter = await spy.deadLettered(OrderCreated);
    expect(letter).toMatchObject({ reason: 'non-retryable', handlerId: 'invoices' });
    expect(server.requests).toHaveLength(1);
  });

  it('are retried under the same key, and dead-lettered in the end, where it fails', async () => {
    const { server, publish, spy } = await boot();
    server.answer(json(500, {}));
    await publish('1');
    expect(await spy.deadLettered(OrderCreated)).toMatchObject({
      reason: 'retries-exhausted',
    });
    expect(server.requests.map(({ headers }) => headers['idempotency-key'])).toEqual(
      Array.from({ length: 3 }, () => 'event-1'),
    );
  });

  it('wait while its breaker is open, and are carried over when it is well', async () => {
    const { server, publish, spy, health } = await boot({
      handler: { retry: { attempts: 5 }, ordering: 'partition' },
    });
    server.answer(json(503, {}));
    await publish('1');
    await eventually(() => health.check().sync[0]?.breaker === 'open');
    await eventually(() => server.requests.length === 6);
    server.answer(json(201, { no: 'R-1' }));
    await spy.published(StockReserved, ({ sku }) => sku === 'R-1');
    // Four opened it, two tried whether it was well; the system would have had no fifth attempt before.
    expect(server.requests).toHaveLength(7);
    expect(await spy.deadLetteredEvents(OrderCreated)).toEqual([]);
  });

  it('are carried over once, although the method’s commands may be accepted as events', async () => {
    const { server, publish, spy } = await boot(
      {},
      {
        methods: {
          createInvoice: { fallback: [acceptAs(StockReserved, ({ ref }) => ({ sku: ref }))] },
        },
      },
    );
    server.answer((request, response) => {
      const isThird = server.requests.length === 3;
      (isThird ? json(201, { no: 'R-1' }) : json(503, {}))(request, response);
    });
    await publish('1');
    await spy.handled(OrderCreated);
    const published = await spy.publishedEvents(StockReserved);
    expect(published.map(({ payload }) => payload.sku)).toEqual(['R-1']);
  });

  it('may have ids that no header can hold', async () => {
    const { server, publish, spy } = await boot();
    server.answer(json(201, { no: 'R-1' }));
    await publish('Zürich');
    await spy.handled(OrderCreated);
    expect(server.requests[0]?.headers['idempotency-key']).toBe('event-Z%C3%BCrich');
  });

  it('are handled where a refusal says that it has been told before', async () => {
    const { server, publish, spy } = await boot({
      isDone: ({ status }) => status === 'ALREADY_EXISTS',
    });
    server.answer(json(409, {}));
    await publish('1');
    await spy.handled(OrderCreated);
    expect(server.requests).toHaveLength(1);
  });
});
