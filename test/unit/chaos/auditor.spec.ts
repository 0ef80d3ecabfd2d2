import { describe, expect, it } from '@jest/globals';
import { audit, type Evidence, type StoredDeadLetter } from '../../chaos/auditor.js';
import type { Fate } from '../../chaos/fate.js';
import type { LedgerEntry } from '../../chaos/ledger.js';

const FATES: Readonly<Record<string, Fate>> = { '0-1': 'refused', '0-4': 'too-new' };

/** Five events of one producer, two keys in two partitions; `0-1` and `0-4` are poison. */
const RECORDS = [
  { partition: 0, offset: 7, key: 'a', eventId: '0-0' },
  { partition: 0, offset: 8, key: 'a', eventId: '0-1' },
  { partition: 0, offset: 10, key: 'a', eventId: '0-3' },
  { partition: 1, offset: 0, key: 'b', eventId: '0-2' },
  { partition: 1, offset: 1, key: 'b', eventId: '0-4' },
];
const DEAD_LETTERS: readonly StoredDeadLetter[] = [
  { partition: 0, offset: 8, reason: 'non-retryable' },
  { partition: 1, offset: 1, reason: 'unknown-version' },
];
const STORY = [
  ...['sent 0-0', 'sent 0-1', 'sent 0-2', 'sent 0-3', 'sent 0-4'],
  ...['effect 0-0', 'done 0-0', 'dead 0-1', 'effect 0-2', 'effect 0-3', 'done 0-2', 'done 0-3'],
];

function entries(lines: readonly string[]): LedgerEntry[] {
  return lines.map((line, at) => {
    const [what, eventId = ''] = line.split(' ');
    return { at, what: what as LedgerEntry['what'], eventId, by: 'somebody' };
  });
}

function auditOf({ story = STORY, ...changes }: Partial<Evidence> & { story?: string[] }) {
  return audit({
    records: RECORDS,
    deadLetters: DEAD_LETTERS,
    ledger: entries(story),
    fateOf: (eventId) => FATES[eventId] ?? 'succeeds',
    ...changes,
  });
}

const NONE = { lost: [], repeated: [], disordered: [], wronglyDead: [], defects: [] };

/** The story with one line replaced by others. */
function storyWith(line: string, ...others: string[]): string[] {
  return STORY.flatMap((each) => (each === line ? others : [each]));
}

describe('the auditor', () => {
  it('has nothing to complain of where all went well', () => {
    expect(auditOf({})).toEqual({
      violations: NONE,
      ...{ events: 5, records: 5, effects: 3, poison: 2 },
      ...{ repeatedBeforeMark: 0, unmarked: 0, deadLettersRepeated: 0 },
    });
  });

  it('finds an event without an effect', () => {
    const { violations } = auditOf({ story: storyWith('effect 0-2') });
    expect(violations).toEqual({ ...NONE, lost: ['0-2 (1@0) had no effect'] });
  });

  it('finds an event that was acknowledged and is not in the topic', () => {
    const { violations } = auditOf({ records: RECORDS.filter(({ eventId }) => eventId !== '0-2') });
    expect(violations.lost).toEqual(['0-2 was acknowledged and is not in the topic']);
  });

  it('finds an effect after its mark, by whomever', () => {
    const { violations } = auditOf({ story: [...STORY, 'effect 0-3'] });
    const repeated = ['0-3 again, by somebody, after it was marked'];
    expect(violations).toEqual({ ...NONE, repeated });
  });

  it('counts an effect whose mark nobody told it of', () => {
    const { violations, unmarked } = auditOf({ story: storyWith('done 0-2') });
    expect(violations).toEqual(NONE);
    expect(unmarked).toBe(1);
  });

  it('finds an effect of what was given up', () => {
    const { violations } = auditOf({ story: storyWith('dead 0-1', 'dead 0-1', 'effect 0-1') });
    expect(violations.repeated).toHaveLength(1);
  });

  it('counts an effect that came again before its mark, and allows it', () => {
    const { violations, repeatedBeforeMark } = auditOf({
      story: storyWith('effect 0-0', 'effect 0-0', 'effect 0-0'),
    });
    expect(violations).toEqual(NONE);
    expect(repeatedBeforeMark).toBe(1);
  });

  it('finds an effect after one of a later event of its key', () => {
    const { violations } = auditOf({ story: storyWith('effect 0-0', 'effect 0-3', 'effect 0-0') });
    expect(violations.disordered).toEqual(['a: 0-0 by somebody after 0-3, which is later']);
  });

  it('goes by offsets, not by the numbers of events', () => {
    const [first, second, third, ...others] = RECORDS;
    const swapped = [{ ...first, eventId: '0-3' }, second, { ...third, eventId: '0-0' }, ...others];
    const { violations } = auditOf({ records: swapped as typeof RECORDS });
    expect(violations.disordered).toEqual([
      'a: 0-3 by somebody after 0-0, which is later',
      'a: 0-1 is in the topic after number 3',
      'a: 0-0 is in the topic after number 3',
    ]);
  });

  it('does not compare keys with each other', () => {
    const { violations } = auditOf({ story: storyWith('effect 0-0', 'effect 0-2', 'effect 0-0') });
    expect(violations).toEqual(NONE);
  });

  it('takes the first record of an event for the event, and the others for duplicates', () => {
    const again = { partition: 0, offset: 11, key: 'a', eventId: '0-0' };
    const deadAgain = { partition: 0, offset: 12, key: 'a', eventId: '0-1' };
    const { violations, events, records } = auditOf({ records: [...RECORDS, again, deadAgain] });
    expect(violations).toEqual(NONE);
    expect([events, records]).toEqual([5, 7]);
  });

  it('expects a dead letter of every record that reaches no handler', () => {
    const again = { partition: 1, offset: 2, key: 'b', eventId: '0-4' };
    const { violations } = auditOf({ records: [...RECORDS, again] });
    expect(violations.wronglyDead).toEqual(['1@2 is missing, for unknown-version']);
  });

  it.each([
    ['of a position that was not planned', { partition: 0, offset: 10, reason: 'timeout' }],
    ['of a position that is not in the topic', { partition: 5, offset: 8, reason: 'timeout' }],
  ])('finds a dead letter %s', (_, letter) => {
    const { violations } = auditOf({ deadLetters: [...DEAD_LETTERS, letter] });
    const position = `${String(letter.partition)}@${String(letter.offset)}`;
    const wronglyDead = [`${position} for timeout, planned was nothing`];
    expect(violations).toEqual({ ...NONE, wronglyDead });
  });

  it('finds a dead letter for another reason than planned', () => {
    const [first, second] = DEAD_LETTERS;
    const deadLetters = [{ ...first, reason: 'retries-exhausted' }, second] as StoredDeadLetter[];
    const wronglyDead = ['0@8 for retries-exhausted, planned was non-retryable'];
    expect(auditOf({ deadLetters }).violations).toEqual({ ...NONE, wronglyDead });
  });

  it('finds poison without a dead letter', () => {
    const { violations } = auditOf({ deadLetters: DEAD_LETTERS.slice(0, 1) });
    expect(violations.wronglyDead).toEqual(['1@1 is missing, for unknown-version']);
  });

  it('counts a dead letter written twice, and allows it', () => {
    const deadLetters = [...DEAD_LETTERS, ...DEAD_LETTERS.slice(0, 1)];
    const { violations, deadLettersRepeated } = auditOf({ deadLetters });
    expect(violations).toEqual(NONE);
    expect(deadLettersRepeated).toBe(1);
  });

  it('passes on what the engine calls a defect of its own', () => {
    expect(auditOf({ story: [...STORY, 'fault boom'] }).violations.defects).toEqual([
      'somebody: boom',
    ]);
  });
});
