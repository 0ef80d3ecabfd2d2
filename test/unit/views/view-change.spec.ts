import { describe, expect, it } from '@jest/globals';

import { NonRetryableEventError } from '../../../lib/kafka-events.errors.js';
import { ViewChanges, type ProjectedRecord } from '../../../lib/views/view-change.js';
import type {
  ProjectedEvent,
  Projects,
  ViewDefinition,
} from '../../../lib/views/view-definition.js';
import { defineView, projects } from '../../../lib/views/view-definition.js';
import type { KeptRow } from '../../../lib/views/view-store.js';
import { OrderCreated } from '../../support/shop-events.js';

const view: ViewDefinition = defineView<unknown>({
  name: 'orders',
  version: 1,
  on: [projects(OrderCreated, { key: ({ orderId }) => orderId, apply: () => null })],
});
const event = { aggregateId: 'a', eventType: 'order.created.v1' } as ProjectedEvent;

/** Marks are all of one length. */
function markNo(number: number): string {
  return `mark ${String(number)}`.padEnd(12);
}

/** Records with these keys; each adds what it is told to a list, in place. */
function recordsOf(...told: readonly (readonly [key: unknown, value: unknown])[]) {
  return told.map(([key, value], index): ProjectedRecord => {
    const projection: Pick<Projects, 'keyOf' | 'apply'> = {
      keyOf: () => key,
      apply: (current) => {
        const list = Array.isArray(current) ? current : [];
        list.push(value);
        if (value === 'poison') throw new Error('poison');
        if (value === 'delete') return null;
        return value === 'nothing' ? undefined : list;
      },
    };
    return {
      ...{ offset: BigInt(index), mark: markNo(index), payload: {}, event },
      projection: projection as Projects,
    };
  });
}

function apply(
  records: readonly ProjectedRecord[],
  position = 0n,
  rows: Record<string, unknown> = {},
) {
  const changes = new ViewChanges(view, records);
  const before = new Map(
    Object.entries(rows).map(([key, value]): [string, KeptRow] => [
      key,
      { json: JSON.stringify(value), version: 1, recent: markNo(9) },
    ]),
  );
  const { position: next, rows: changed } = changes.work(position, before);
  return { changes, next, rows: Object.fromEntries(changed) };
}

describe('the changes of a batch', () => {
  it('are those of its records, one after another', () => {
    const { changes, next, rows } = apply(recordsOf(['a', 1], ['b', 2], ['a', 3]));
    expect(changes.keys).toEqual(['a', 'b']);
    expect(changes.failed).toBeNull();
    expect(next).toBe(3n);
    expect(rows).toEqual({
      a: { json: '[1,3]', version: 2, recent: markNo(0) + markNo(2) },
      b: { json: '[2]', version: 1, recent: markNo(1) },
    });
  });

  it('leave out what was applied before', () => {
    const { next, rows } = apply(recordsOf(['a', 1], ['a', 2]), 1n, { a: [1] });
    expect(next).toBe(2n);
    expect(rows).toMatchObject({ a: { json: '[1,2]', version: 2 } });
    expect(apply(recordsOf(['a', 1]), 9n)).toMatchObject({ next: 9n, rows: {} });
  });

  it('leave out the copy of an event that their row has, and go on behind it', () => {
    const [first, second] = recordsOf(['a', 1], ['a', 2]) as [ProjectedRecord, ProjectedRecord];
    const copies = [first, second, { ...first, offset: 2n }, { ...second, offset: 3n }];
    const { next, rows } = apply(copies);
    expect(next).toBe(4n);
    expect(rows).toEqual({ a: { json: '[1,2]', version: 2, recent: markNo(0) + markNo(1) } });

    // Found in the store, where an earlier batch has left it.
    expect(apply([{ ...first, mark: markNo(9) }], 0n, { a: [1] })).toMatchObject({
      next: 1n,
      rows: {},
    });
    // The same event may have another row as well.
    expect(apply([{ ...first, mark: markNo(9) }], 0n, { b: [1] }).rows).toHaveProperty('a');
  });

  it('end before the first that fails, of which nothing is seen', () => {
    const { changes, next, rows } = apply(recordsOf(['a', 1], ['a', 'poison'], ['b', 3]));
    expect(changes.failed).toMatchObject({ index: 1, error: { message: 'poison' } });
    expect(next).toBe(1n);
    expect(rows).toMatchObject({ a: { json: '[1]', version: 1 } });
  });

  it('are made anew when a store asks again', () => {
    const changes = new ViewChanges(view, recordsOf(['a', 1], ['a', 'poison']));
    expect(changes.work(2n, new Map()).rows.size).toBe(0);
    expect(changes.failed).toBeNull();
    expect(changes.work(0n, new Map()).rows.size).toBe(1);
    expect(changes.failed?.index).toBe(1);
  });

  it('delete, and make anew from nothing', () => {
    expect(apply(recordsOf(['a', 'delete']), 0n, { a: [1] }).rows).toEqual({ a: null });
    expect(apply(recordsOf(['a', 'delete'], ['a', 2]), 0n, { a: [1] }).rows).toMatchObject({
      a: { json: '[2]', version: 1 },
    });
    expect(apply(recordsOf(['a', 1], ['a', 'delete'])).rows).toEqual({});
  });

  it('of a record without a value delete the row of its key', () => {
    const tombstone = { offset: 0n, projection: null, payload: null, event };
    for (const mark of [markNo(0), markNo(9)]) {
      expect(apply([{ ...tombstone, mark }], 0n, { a: [1] }).rows).toEqual({ a: null });
    }
  });

  it.each([
    ['a number', 7],
    ['nothing', undefined],
    ['an empty text', ''],
    ['a text that is too long', 'x'.repeat(513)],
    ['a zero character', 'a\u0000'],
    ['half a surrogate pair', 'a\ud800'],
  ])('refuse %s for a key', (_, key) => {
    const { changes, next } = apply(recordsOf(['a', 1], [key, 2], ['a', 3]));
    expect(changes.failed?.index).toBe(1);
    expect(changes.failed?.error).toBeInstanceOf(NonRetryableEventError);
    expect(changes.failed?.error.message).toContain('the view "orders" needs a key');
    expect(next).toBe(1n);
  });

  it.each([
    ['nothing', 'nothing'],
    ['a BigInt', 1n],
    ['a zero character', 'a\u0000b'],
    ['half a surrogate pair', { text: '\udfff' }],
  ])('refuse a value with %s', (_, value) => {
    const { failed } = apply(recordsOf(['a', value])).changes;
    expect(failed?.error).toBeInstanceOf(NonRetryableEventError);
    expect(failed?.error.message).toContain('cannot keep what its projection answers');
  });

  it('keep what only looks like an escape', () => {
    const { changes, rows } = apply(recordsOf(['\\u0000', '\\ud800 \\\\u0000 😀']));
    expect(changes.failed).toBeNull();
    expect(JSON.parse(rows['\\u0000']?.json ?? '')).toEqual(['\\ud800 \\\\u0000 😀']);
  });
});
