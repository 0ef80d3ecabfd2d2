import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { onCleanup } from './cleanup.js';
import { eventually } from './eventually.js';
import { RedisServer } from './redis-server.js';

const run = promisify(execFile);

/** A Redis of the test's own; stopped after the test or file. Settings as `RedisServer.start` takes them. */
export async function startRedis(...settings: string[]): Promise<RedisServer> {
  const server = await RedisServer.start(...settings);
  onCleanup(() => server.stop());
  return server;
}

/** A client of the test's own, not connected yet; closed after the test or file. */
export function redisClient(
  { address }: RedisServer,
  options: { readonly password?: string } = {},
): Redis {
  const client = new Redis({ ...address, ...options, lazyConnect: true });
  client.on('error', () => undefined);
  onCleanup(() => {
    client.disconnect();
  });
  return client;
}

/** Three masters that share the slots; answers their addresses. */
export async function startRedisCluster(): Promise<readonly RedisServer[]> {
  const servers: RedisServer[] = [];
  for (let i = 0; i < 3; i++) servers.push(await startRedis('--cluster-enabled', 'yes'));
  const addresses = servers.map(({ address: { host, port } }) => `${host}:${String(port)}`);
  await run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-yes']);
  for (const client of servers.map((server) => redisClient(server))) {
    await eventually(async () => (await client.cluster('INFO')).includes('cluster_state:ok'), {
      message: 'a node that knows the whole cluster',
    });
  }
  return servers;
}
