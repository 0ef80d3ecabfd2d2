import { describe, expect, it } from '@jest/globals';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import kafkajs, { CompressionTypes } from 'kafkajs';
import { patchKafkaJs } from '../../../../../lib/kafka/drivers/kafkajs/kafkajs-patches.js';
import { eventually } from '../../../../support/eventually.js';
import { LogLines } from '../../../../support/kafka-driver.js';

const require = createRequire(import.meta.url);

interface Queue {
  throttledUntil: number;
  checkPendingRequests(): void;
  push(request: object): void;
  fulfillRequest(response: { correlationId: number; payload: null; size: number }): void;
  destroy(): void;
}

const RequestQueue = require('kafkajs/src/network/requestQueue/index.js') as new (
  options: object,
) => Queue;

function requestQueue(): Queue {
  const logger = { debug: () => undefined, warn: () => undefined };
  return new RequestQueue({ logger, requestTimeout: 1000, clientId: 'c', broker: 'b' });
}

function request(correlationId: number, sendRequest = () => undefined) {
  const entry = { correlationId, resolve: () => undefined, reject: () => undefined };
  return { entry, expectResponse: true, sendRequest };
}

/** How often a connection that got one response and is idle since looks for work, in 150 ms. */
async function idleChecks(): Promise<number> {
  const queue = requestQueue();
  queue.push(request(1));
  queue.fulfillRequest({ correlationId: 1, payload: null, size: 0 });
  let checks = 0;
  const check = queue.checkPendingRequests.bind(queue);
  queue.checkPendingRequests = () => {
    checks++;
    check();
  };
  await sleep(150);
  queue.destroy();
  return checks;
}

interface Codec {
  compress(encoder: { buffer: Buffer }): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
}

const gzipCodec = () => kafkajs.CompressionCodecs[CompressionTypes.GZIP]() as Codec;
const KIB = 1024;
const lines = new LogLines();
const patch = (maxDecompressedBatchBytes: number, patchIt = true) => {
  patchKafkaJs({ patchKafkaJs: patchIt, maxDecompressedBatchBytes }, lines.log);
};

// In this order: what is mended stays mended for the process, which here is the test file.
describe('patchKafkaJs', () => {
  it('does nothing when switched off', async () => {
    patch(KIB, false);
    expect(await idleChecks()).toBeGreaterThan(20);
    const bomb = gzipSync(Buffer.alloc(100 * KIB));
    expect(await gzipCodec().decompress(bomb)).toHaveLength(100 * KIB);
  });

  it('lets idle connections rest', async () => {
    patch(64 * KIB);
    patch(64 * KIB);
    expect(await idleChecks()).toBeLessThanOrEqual(1);
  });

  it('still sends what has to wait', async () => {
    const queue = requestQueue();
    queue.throttledUntil = Date.now() + 60;
    let sentAt = 0;
    const pushedAt = performance.now();
    queue.push(
      request(1, () => {
        sentAt = performance.now();
        return undefined;
      }),
    );
    await eventually(() => sentAt > 0, { timeoutMs: 1000, intervalMs: 5 });
    expect(sentAt - pushedAt).toBeGreaterThan(40);
    queue.destroy();
  });

  it('bounds what a compressed batch may grow to', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * KIB + 1));
    expect(bomb.length).toBeLessThan(KIB);
    await expect(gzipCodec().decompress(bomb)).rejects.toMatchObject({
      name: 'DriverError',
      kind: 'fatal',
      // For kafkajs: not to be fetched and decompressed again.
      retriable: false,
    });
    const fits = gzipSync(Buffer.alloc(64 * KIB, 7));
    expect(await gzipCodec().decompress(fits)).toEqual(Buffer.alloc(64 * KIB, 7));
  });

  it('passes other failures of decompression on', async () => {
    await expect(gzipCodec().decompress(Buffer.from('not gzip'))).rejects.toMatchObject({
      code: 'Z_DATA_ERROR',
    });
  });

  it('reads what it writes', async () => {
    const buffer = Buffer.from('some records');
    const compressed = await gzipCodec().compress({ buffer });
    expect(await gzipCodec().decompress(compressed)).toEqual(buffer);
  });

  it('takes the widest of several bounds', async () => {
    patch(200 * KIB);
    patch(KIB);
    const large = gzipSync(Buffer.alloc(150 * KIB));
    expect(await gzipCodec().decompress(large)).toHaveLength(150 * KIB);
  });

  it('has nothing to complain about', () => {
    expect(lines.lines).toEqual([]);
  });
});
