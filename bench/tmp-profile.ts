import kafkajs from 'kafkajs';
import { KafkaBroker } from '../test/support/kafka-broker.js';
const { Kafka, logLevel } = kafkajs;
const N = Number(process.env.N ?? 300000);
const mode = process.argv[2];
if (mode === 'serve') {
  const b = await KafkaBroker.start({});
  const kafka = new Kafka({ brokers: b.brokers, logLevel: logLevel.ERROR });
  const admin = kafka.admin(); await admin.connect();
  await admin.createTopics({ topics: [{ topic: 'orders', numPartitions: 6 }, { topic: 'orders.dlq', numPartitions: 1 }] });
  const p = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner }); await p.connect();
  for (let i = 0; i < N; i += 500) {
    await p.send({ topic: 'orders', messages: Array.from({ length: 500 }, (_, j) => ({ key: `k${(i + j) % 10000}`, value: JSON.stringify({ orderId: `order-${i + j}`, customer: `customer-${i % 97}`, totalCents: i, lines: [{ sku: 'a', quantity: 2 }, { sku: 'b', quantity: 1 }] }), headers: { 'event-id': `00000000-0000-4000-8000-${String(i + j).padStart(12, '0')}`, 'event-type': 'order.created.v1', 'correlation-id': `c-${i + j}`, 'event-time': new Date().toISOString(), 'aggregate-id': `k${(i+j) % 10000}`, 'content-type': 'application/json' } })) });
  }
  console.log('READY', b.brokers[0], process.pid);
  await p.disconnect(); await admin.disconnect();
  setInterval(() => {}, 1e6);
} else if (mode === 'bare') {
  const kafka = new Kafka({ brokers: [process.argv[3]!], logLevel: logLevel.ERROR });
  const c = kafka.consumer({ groupId: 'bare-' + Date.now(), maxWaitTimeInMs: 200 });
  await c.connect(); await c.subscribe({ topic: 'orders', fromBeginning: true });
  let n = 0, t0 = 0, x = 0;
  await c.run({ autoCommit: false, eachBatch: async ({ batch, commitOffsetsIfNecessary }) => {
    if (!t0) t0 = performance.now();
    for (const m of batch.messages) { x += JSON.parse(m.value!.toString()).totalCents; n++; }
    await commitOffsetsIfNecessary({ topics: [{ topic: batch.topic, partitions: [{ partition: batch.partition, offset: (BigInt(batch.lastOffset()) + 1n).toString() }] }] });
    if (n >= N) { console.log('bare', n, Math.round(performance.now() - t0), 'ms', 'cpu', Math.round((process.cpuUsage().user+process.cpuUsage().system)/1000)); process.exit(0); }
  } });
} else {
  const { buildGroup } = await import('../lib/consuming/build-group.js');
  const { BufferBudget } = await import('../lib/consuming/buffer-budget.js');
  const { MemoryIdempotencyStore } = await import('../lib/idempotency/memory-idempotency-store.js');
  const { kafkaJsDriver } = await import('../lib/kafka/drivers/kafkajs/kafkajs-driver.js');
  const { SignalHub } = await import('../lib/observability/signal-hub.js');
  const { systemClock } = await import('../lib/contracts/clock.js');
  const settings: any = { topicName: (t: string) => t, missingId: 'derive', deadLetter: { topicName: (t: string) => t + '.dlq', redact: (s: string) => s }, idempotency: { store: new MemoryIdempotencyStore({}), windowMs: 1800000, onStoreError: 'pause' }, clock: systemClock };
  const contract: any = { name: 'x', type: 'order.created', version: 1, eventType: 'order.created.v1', topic: 'orders', keyOf: () => '', validate: (payload: unknown) => ({ valid: true, payload }) };
  let n = 0, t0 = 0, x = 0;
  const hub = new SignalHub([]);
  const inspector = process.env.HEAP ? await import('node:inspector/promises') : null; const session = inspector ? new inspector.Session() : null; if (session) { session.connect(); await session.post('HeapProfiler.startSampling', { samplingInterval: 65536, includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true } as any); }
  const done = async () => { if (session) { const { profile } = await session.post('HeapProfiler.stopSampling'); (await import('node:fs')).writeFileSync('/tmp/heap.json', JSON.stringify(profile)); } console.log('ours', n, Math.round(performance.now() - t0), 'ms', 'cpu', Math.round((process.cpuUsage().user+process.cpuUsage().system)/1000), JSON.stringify(hub.counts)); process.exit(0); };
  const handler: any = { settings: { id: 'h', groupId: 'g', concurrency: 16, ordering: 'key', timeoutMs: 300000, retry: {}, idempotency: process.env.NODEDUP ? null : { windowMs: 1800000, scope: 'event' }, tombstones: false }, contracts: [contract], faultOf: () => 'body', filter: () => null,
    invoke: async (p: any) => { x += p.totalCents; if (!t0) t0 = performance.now(); if (++n >= N) done(); } };
  const { consumer } = buildGroup({ groupId: 'ours-' + Date.now(), sessionTimeoutMs: 30000, rebalanceTimeoutMs: 60000, heartbeatIntervalMs: 3000, maxBytesPerPartition: 1048576, maxWaitTimeMs: 200, commitIntervalMs: 500, maxSpan: Number(process.env.SPAN ?? 10000), maxConcurrency: Infinity, revokeDrainMs: 10000 }, [handler], {
    settings, driver: kafkaJsDriver({ clientId: 'b', brokers: [process.argv[3]!], ssl: false, sasl: null, connectionTimeoutMs: 2000, requestTimeoutMs: 10000, retries: 5, retryInitialDelayMs: 100, maxDecompressedBatchBytes: 64 << 20, patchKafkaJs: true }, () => {}), sink: {} as any, sendDeadLetter: async () => { throw new Error('no'); }, budget: new BufferBudget(64 << 20), signals: hub, random: Math.random, owner: 'x' });
  await consumer.start();
}
