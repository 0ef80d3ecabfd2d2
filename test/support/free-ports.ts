import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Free ports below the range that Linux gives to outgoing connections (from 32768): there, a
 * client that keeps dialling a broker that is down can take its port, or even connect to itself.
 */
export async function freePorts(count: 1): Promise<[number]>;
export async function freePorts(count: number): Promise<number[]>;
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = 10_000 + Math.floor(Math.random() * 20_000);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    await once(server.listen(port, '127.0.0.1'), 'listening');
    await once(server.close(), 'close');
    return true;
  } catch {
    return false;
  }
}
