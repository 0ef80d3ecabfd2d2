import { MemoryCursorStore } from '../legacy/cursor-store.js';
import type { FeedSettings, LegacyFeed } from '../legacy/legacy-feed.js';
import type { LegacySettings } from '../legacy/legacy-feeds.js';
import type { LegacyOptions } from '../kafka-events.options.js';
import { DEFAULTS } from './defaults.js';
import { DURATION_MS } from './option-ranges.js';
import { hasMethods, onlyGiven, type OptionSection } from './option-section.js';

export function readLegacy(section: OptionSection<LegacyOptions>): LegacySettings {
  const feeds = section.list('feeds', readFeed) ?? [];
  const names = feeds.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) section.refuse('feeds', `has "${twice}" twice; each has its own name`);
  const cursors = section.value('cursors', 'a cursor store', (value) =>
    hasMethods(value, ['read', 'write']),
  );
  return { feeds, cursors: cursors ?? new MemoryCursorStore() };
}

function readFeed(section: OptionSection<LegacyFeed>): FeedSettings {
  for (const name of ['name', 'id', 'toEvent'] as const) {
    if (section.isGiven && !section.has(name)) section.refuse(name, 'is missing');
  }
  return {
    ...DEFAULTS.feed,
    name: section.text('name') ?? '',
    id: section.callback('id') ?? (() => ''),
    toEvent: section.callback('toEvent') ?? (() => null),
    ...onlyGiven({
      poll: section.callback('poll'),
      everyMs: section.integer('everyMs', DURATION_MS),
      pollTimeoutMs: section.integer('pollTimeoutMs', DURATION_MS),
      onInvalid: section.oneOf('onInvalid', ['hold', 'skip']),
    }),
  };
}
