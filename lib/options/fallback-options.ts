import { contractOf } from '../contracts/event-source.js';
import type {
  CacheFallback,
  DefaultFallback,
  EventFallback,
  Fallback,
  ReadFallback,
} from '../fallback/fallback.js';
import type { SyncMethodOptions, SyncMethodSettings } from '../fallback/sync-service.js';
import { toError } from '../kafka-events.errors.js';
import { DEFAULTS } from './defaults.js';
import { COUNT, RETENTION_MS } from './option-ranges.js';
import { onlyGiven, type OptionSection } from './option-section.js';

type Settings = SyncMethodSettings['fallbacks'][number];

/** Whatever a fallback may be made of: which it is, its `kind` says. */
interface FallbackParts
  extends
    Partial<Omit<CacheFallback, 'kind'>>,
    Partial<Omit<ReadFallback, 'kind'>>,
    Partial<Omit<DefaultFallback, 'kind'>>,
    Partial<Omit<EventFallback, 'kind'>> {
  readonly kind?: Fallback['kind'];
}

/** What stands in for the service, checked; those that could never be reached are refused. */
export function readFallbacks(section: OptionSection<SyncMethodOptions>): readonly Settings[] {
  const read = section.list('fallback', (one: OptionSection<FallbackParts>) => readFallback(one));
  const fallbacks = (read ?? []).filter((one) => one !== null);
  refuseUnreachable(section, fallbacks);
  return fallbacks;
}

function readFallback(section: OptionSection<FallbackParts>): Settings | null {
  const kind = section.value(
    'kind',
    'one made by cachedReply, readFrom, defaultReply or acceptAs',
    (value) => ['cache', 'view', 'default', 'event'].some((each) => each === value),
  );
  if (section.isGiven && !section.has('kind')) {
    section.refuse('kind', 'is missing; use cachedReply, readFrom, defaultReply or acceptAs');
  }
  switch (kind) {
    case 'cache': {
      required(section, 'maxAgeMs');
      const given = onlyGiven({
        maxAgeMs: section.integer('maxAgeMs', RETENTION_MS),
        maxEntries: section.integer('maxEntries', COUNT),
        key: section.callback('key'),
      });
      return { ...DEFAULTS.replyCache, ...given };
    }
    case 'view': {
      required(section, 'read');
      const read = section.callback('read');
      return read === undefined ? null : { kind, read };
    }
    case 'default': {
      required(section, 'reply');
      const reply = section.callback('reply');
      return reply === undefined ? null : { kind, reply };
    }
    case 'event':
      return readEvent(section);
    default:
      return null;
  }
}

function readEvent(section: OptionSection<FallbackParts>): EventFallback | null {
  required(section, 'event');
  required(section, 'payload');
  const event = section.value('event', 'an event', () => true);
  const payload = section.callback('payload');
  const options = section.callback('options');
  if (event === undefined || payload === undefined) return null;
  try {
    contractOf(event);
  } catch (thrown) {
    section.refuse('event', toError(thrown).message);
  }
  return { kind: 'event', event, payload, ...onlyGiven({ options }) };
}

function required(section: OptionSection<FallbackParts>, name: keyof FallbackParts): void {
  if (!section.has(name)) section.refuse(name, 'is missing');
}

function refuseUnreachable(
  section: OptionSection<SyncMethodOptions>,
  fallbacks: readonly Settings[],
): void {
  const last = fallbacks.findIndex(({ kind }) => kind === 'default');
  if (last >= 0 && last < fallbacks.length - 1) {
    section.refuse('fallback', 'has others behind a default reply, which are never tried');
  }
  if (fallbacks.filter(({ kind }) => kind === 'cache').length > 1) {
    section.refuse('fallback', 'has two caches; the second never knows more than the first');
  }
}
