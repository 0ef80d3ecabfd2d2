import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { leaveFile } from '../../support/cleanup.js';
import { inventoryAt } from '../../support/grpc-inventory.js';

/** Makes failing calls of the inventory at the address that it is given, and tells what they leave behind. */
export interface Remains {
  readonly heapMb: number;
  readonly sockets: number;
  readonly timers: number;
}

const [url = '', calls = ''] = process.argv.slice(2);
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const AT_ONCE = 50;

const { service, client } = await inventoryAt(url, {
  ...{ deadlineMs: 5_000, breaker: { calls: 10_000, minCalls: 10_000 } },
  ...{ bulkhead: { maxConcurrent: AT_ONCE }, methods: { getStock: { idempotent: true } } },
});

async function fail(calls: number): Promise<void> {
  const caller = new AbortController();
  for (let done = 0; done < calls; done += AT_ONCE) {
    const results = await Promise.allSettled(
      Array.from({ length: AT_ONCE }, () =>
        service.call('getStock', { sku: 'a' }, { signal: caller.signal }),
      ),
    );
    if (results.some(({ status }) => status === 'fulfilled')) throw new Error('a call succeeded');
  }
}

function remains(): Remains {
  collect();
  const resources = process.getActiveResourcesInfo();
  const count = (kind: string) => resources.filter((name) => name === kind).length;
  const heapMb = process.memoryUsage().heapUsed / 2 ** 20;
  return { heapMb, sockets: count('TCPSocketWrap'), timers: count('Timeout') };
}

await fail(Number(calls) / 5);
console.log(`before ${JSON.stringify(remains())}`);
await fail(Number(calls));
console.log(`after ${JSON.stringify(remains())}`);
await client.close(0);
// It ends by itself when nothing is left that could keep it.
process.stdin.unref();
await leaveFile();
