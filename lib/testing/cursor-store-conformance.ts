import { equal } from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

import type { CursorStore } from '../legacy/cursor-store.js';
import type { ConformanceCase } from './conformance-case.js';

export interface CursorStoreConformanceOptions {
  /** The store; cases share it, and use feeds of their own. */
  create(): Promise<CursorStore>;
  /** Another store over the same data, as another process would have it; absent for a store in memory. */
  createPeer?(): Promise<CursorStore>;
}

/** What every {@link CursorStore} must do, as cases for any test runner. */
export function cursorStoreConformance(
  options: CursorStoreConformanceOptions,
): readonly ConformanceCase[] {
  return Object.entries(CASES).map(([name, body]) => ({
    name,
    run: async () => {
      const store = await options.create();
      await body(store, (await options.createPeer?.()) ?? store);
    },
  }));
}

const CASES: Readonly<Record<string, (store: CursorStore, peer: CursorStore) => Promise<void>>> = {
  'answers null until the feed has a cursor': async (store) => {
    const feed = `feed ${randomUUID()}`;
    equal(await store.read(feed), null);
    await store.write(feed, '');
    equal(await store.read(feed), '');
  },

  'answers what was written last, to others as well': async (store, peer) => {
    const feed = `feed ${randomUUID()}`;
    for (const cursor of ['1', '2', '2', '1']) {
      await store.write(feed, cursor);
      equal(await peer.read(feed), cursor);
    }
    await peer.write(feed, '3');
    equal(await store.read(feed), '3');
  },

  'keeps the cursors of feeds apart': async (store) => {
    const name = `feed ${randomUUID()}`;
    const feeds = [name, name.toUpperCase(), `${name} `, `${name}%`];
    for (const [n, feed] of feeds.entries()) await store.write(feed, String(n));
    for (const [n, feed] of feeds.entries()) equal(await store.read(feed), String(n));
  },

  'keeps a cursor as it is, whatever it says': async (store) => {
    const feed = `feed ${randomUUID()}`;
    for (const cursor of [' ', "it's; -- $1", '{"after":"ü €"}', '\t\r\n\\', 'x'.repeat(50_000)]) {
      await store.write(feed, cursor);
      equal(await store.read(feed), cursor);
    }
  },
};
