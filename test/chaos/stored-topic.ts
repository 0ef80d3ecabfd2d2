import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { StoredDeadLetter, StoredEvent } from './auditor.js';

interface KcatLine {
  readonly partition: number;
  readonly offset: number;
  readonly key: string | null;
  /** Names and values in turn. */
  readonly headers?: readonly string[];
}

/** What a topic holds, as kcat reads it: a client that shares no code with ours. */
export async function readEvents(
  brokers: readonly string[],
  topic: string,
): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  await readLines(brokers, topic, ({ partition, offset, key, headers }) => {
    events.push({ partition, offset, key: key ?? '', eventId: header(headers, 'event-id') });
  });
  return events;
}

export async function readDeadLetters(
  brokers: readonly string[],
  topic: string,
): Promise<StoredDeadLetter[]> {
  const letters: StoredDeadLetter[] = [];
  await readLines(brokers, topic, ({ headers }) => {
    letters.push({
      partition: Number(header(headers, 'dlq-original-partition')),
      offset: Number(header(headers, 'dlq-original-offset')),
      reason: header(headers, 'dlq-reason'),
    });
  });
  return letters;
}

/** A line at a time: minutes of load are more than a string should hold. */
async function readLines(
  brokers: readonly string[],
  topic: string,
  onRecord: (record: KcatLine) => void,
): Promise<void> {
  const args = ['-b', brokers.join(','), '-t', topic, '-C', '-e', '-q', '-J'];
  const kcat = spawn('kcat', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: kcat.stdout });
  lines.on('line', (line) => {
    onRecord(JSON.parse(line) as KcatLine);
  });
  const [code] = (await once(kcat, 'close')) as [number | null];
  if (code !== 0) throw new Error(`kcat could not read ${topic}: it ended with ${String(code)}`);
}

function header(headers: readonly string[] = [], name: string): string {
  const at = headers.findLastIndex((each, i) => i % 2 === 0 && each === name);
  return at < 0 ? '' : (headers[at + 1] ?? '');
}
