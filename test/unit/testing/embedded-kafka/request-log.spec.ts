import { describe, expect, it } from '@jest/globals';
import { RequestLog } from '../../../../lib/testing/embedded-kafka/server/request-log.js';

const MIB = 1024 * 1024;

describe('RequestLog', () => {
  it('forgets the oldest when there are too many', () => {
    const log = new RequestLog();
    for (let i = 0; i < 25_000; i++) add(log, i, 10);
    expect(log.all.length).toBeLessThanOrEqual(10_000);
    expect(log.all.at(-1)?.version).toBe(24_999);
    expect(log.all[0]?.version).toBe(25_000 - log.all.length);
  });

  it('forgets the oldest when they take too much memory', () => {
    const log = new RequestLog();
    for (let i = 0; i < 100; i++) add(log, i, MIB);
    expect(log.all.length).toBeLessThanOrEqual(16);
    expect(log.all.at(-1)?.version).toBe(99);
  });

  it('does not keep one that is too large by itself', () => {
    const log = new RequestLog();
    add(log, 1, 100 * MIB);
    expect(log.all).toEqual([]);
  });
});

function add(log: RequestLog, version: number, bytes: number): void {
  const request = { topics: null, allowAutoTopicCreation: false };
  const from = { nodeId: 0, listener: 'plain', clientId: null };
  log.add({ api: 'Metadata', version, ...from, request }, bytes);
}
