import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StoredDeadLetter, StoredEvent } from './auditor.js';
import type { Fleet } from './fleet.js';
import type { Ledger } from './ledger.js';
import type { Happened } from './progress.js';
import type { Schedule } from './schedule.js';

export interface RunEvidence {
  readonly schedule: Schedule;
  readonly happened: readonly Happened[];
  readonly ledger: Ledger;
  readonly records: readonly StoredEvent[];
  readonly deadLetters: readonly StoredDeadLetter[];
  readonly fleet: Fleet;
}

/** Writes it all to files, for whoever has to find out what went wrong. Answers the directory. */
export async function keepEvidence(run: RunEvidence): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'chaos-'));
  const keep = async (name: string, lines: readonly unknown[]): Promise<void> => {
    const text = lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line)));
    await writeFile(join(directory, name), `${text.join('\n')}\n`);
  };
  await keep('schedule.json', [run.schedule]);
  await keep('happened', run.happened);
  await keep('ledger', run.ledger.entries);
  await keep('topic', run.records);
  await keep('dead-letters', run.deadLetters);
  for (const { name, processes } of run.fleet.members) {
    const logs = processes.flatMap(({ lines, errors }) => ['---', ...lines, ...errors]);
    await keep(`${name}.log`, logs);
  }
  return directory;
}
