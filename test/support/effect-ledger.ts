import { appendFileSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onCleanup } from './cleanup.js';
import { eventually } from './eventually.js';

export interface Judgement {
  readonly lost: number;
  readonly repeatedAfterComplete: number;
  readonly repeatedBeforeComplete: number;
}

/** What happened, in order and beyond any crash. */
export class EffectLedger {
  private constructor(readonly file: string) {}

  static async create(): Promise<EffectLedger> {
    const directory = await mkdtemp(join(tmpdir(), 'ledger-'));
    onCleanup(() => rm(directory, { recursive: true }));
    const ledger = new EffectLedger(join(directory, 'ledger'));
    appendFileSync(ledger.file, '');
    return ledger;
  }

  add(line: string): void {
    appendFileSync(this.file, `${line}\n`);
  }

  /** The events with an effect. */
  effects(): Set<string> {
    return new Set(this.all('effect'));
  }

  /** The events that something happened to, once for each time. */
  all(happened: string): string[] {
    return this.#lines.flatMap(([what, id = '']) => (what === happened ? [id] : []));
  }

  async grows(): Promise<void> {
    const before = this.effects().size;
    await eventually(() => this.effects().size > before, { timeoutMs: 30_000 });
  }

  /** How often an effect came twice, before and after its claim was completed, and how many are missing. */
  judge(events: number): Judgement {
    const completed = new Set<string>();
    const effected = new Set<string>();
    let repeatedAfterComplete = 0;
    let repeatedBeforeComplete = 0;
    for (const [what, id = ''] of this.#lines) {
      if (what === 'complete') completed.add(id);
      if (what !== 'effect') continue;
      if (completed.has(id)) repeatedAfterComplete++;
      else if (effected.has(id)) repeatedBeforeComplete++;
      effected.add(id);
    }
    return { lost: events - effected.size, repeatedAfterComplete, repeatedBeforeComplete };
  }

  get #lines(): string[][] {
    return readFileSync(this.file, 'utf8')
      .split('\n')
      .map((line) => line.split(' '));
  }
}
