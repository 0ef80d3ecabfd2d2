import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A record as kcat, a client on librdkafka, read it. */
export interface KcatRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** In order; repeated names stay repeated. */
  readonly headers: readonly (readonly [name: string, value: string | null])[];
}

/** A line of numbers, then as many bytes of key and value as they say. */
const RECORD = '%p %o %K %S\\n%k%s';

const LARGEST_TOPIC = 64 * 1024 * 1024;

interface KcatJson {
  readonly partition: number;
  readonly offset: number;
  readonly headers?: readonly (string | null)[];
}

/** All records of a topic, as a client reads them that shares no code with ours. */
export async function readWithKcat(
  brokers: readonly string[],
  topic: string,
): Promise<KcatRecord[]> {
  const consume = ['-b', brokers.join(','), '-t', topic, '-C', '-e', '-q'];
  const [{ stdout: bytes }, { stdout: lines }] = await Promise.all([
    run('kcat', [...consume, '-f', RECORD], { encoding: 'buffer', maxBuffer: LARGEST_TOPIC }),
    run('kcat', [...consume, '-J'], { encoding: 'utf8', maxBuffer: LARGEST_TOPIC }),
  ]);
  const headersAt = new Map<string, KcatRecord['headers']>();
  for (const line of lines.split('\n').filter((text) => text !== '')) {
    const { partition, offset, headers = [] } = JSON.parse(line) as KcatJson;
    headersAt.set(`${partition} ${offset}`, pairs(headers));
  }
  return records(bytes).map((record) => ({
    ...record,
    headers: headersAt.get(`${record.partition} ${record.offset}`) ?? [],
  }));
}

/** The last value of a header, as text. */
export function headerOf({ headers }: KcatRecord, name: string): string | null | undefined {
  return headers.findLast(([each]) => each === name)?.[1];
}

function records(bytes: Buffer): Omit<KcatRecord, 'headers'>[] {
  const found: Omit<KcatRecord, 'headers'>[] = [];
  for (let at = 0; at < bytes.length;) {
    const lineEnd = bytes.indexOf('\n', at);
    const [partition, offset, keyLength, valueLength] = bytes
      .toString('latin1', at, lineEnd)
      .split(' ')
      .map(Number);
    if (partition === undefined || offset === undefined) throw new Error('kcat wrote no record');
    at = lineEnd + 1;
    // A length of -1 stands for null.
    const take = (length = -1): Buffer | null =>
      length < 0 ? null : bytes.subarray(at, (at += length));
    found.push({ partition, offset, key: take(keyLength), value: take(valueLength) });
  }
  return found;
}

function pairs(flat: readonly (string | null)[]): [string, string | null][] {
  const names = flat.filter((_, i) => i % 2 === 0);
  return names.map((name, i) => [name ?? '', flat[i * 2 + 1] ?? null]);
}
