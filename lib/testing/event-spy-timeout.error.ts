import type { EventContract } from '../contracts/event-contract.js';
import { describeSighting, IN_WORDS } from './describe-sighting.js';
import type { EventJournal, SightedName, Sighting } from './event-journal.js';

/** Lines of what arrived that a message lists. */
const LISTED = 20;

/** What a spy waited for in vain. */
export interface AwaitedEvent {
  readonly name: SightedName;
  readonly contract: EventContract;
  readonly timeoutMs: number;
}

/**
 * The event that a test waited for did not come; the message says what came instead.
 *
 * A failed assertion, so to speak, and none of the errors that applications have to know.
 */
export class EventSpyTimeoutError extends Error {
  /** The `event-type` header of the event, for example `order.created.v1`. */
  readonly eventType: string;
  readonly timeoutMs: number;

  /** @internal */
  constructor({ name, contract, timeoutMs }: AwaitedEvent, journal: EventJournal) {
    const all = journal.since(0);
    const about = all.filter((sighting) => journal.isAbout(contract, sighting));
    super(
      [
        `No ${contract.name} (${contract.eventType}) was ${IN_WORDS[name]} within ${String(timeoutMs)} ms.`,
        ...matchesRefused(about, name),
        ...attemptsFailing(about),
        ...nothingConsumed(name, journal),
        ...arrived(all),
      ].join('\n'),
    );
    this.name = 'EventSpyTimeoutError';
    this.eventType = contract.eventType;
    this.timeoutMs = timeoutMs;
  }
}

function matchesRefused(about: readonly Sighting[], name: SightedName): string[] {
  const count = about.filter((sighting) => sighting.name === name).length;
  if (count === 0) return [];
  return [
    `${String(count)} of them ${count === 1 ? 'was' : 'were'} ${IN_WORDS[name]}, but not a matching one.`,
  ];
}

/** Events whose latest sighting by a handler is a failed attempt. */
function attemptsFailing(about: readonly Sighting[]): string[] {
  const latest = new Map<string, Sighting>();
  for (const sighting of about) {
    const { signal, record } = sighting;
    if (!('handlerId' in signal)) continue;
    latest.set(`${String(signal.handlerId)} ${record?.eventId ?? ''}`, sighting);
  }
  const failing = [...latest.values()].filter(({ name }) => name === 'attemptFailed');
  return failing.slice(-3).map((sighting) => `Still failing: ${describeSighting(sighting)}`);
}

function nothingConsumed(name: SightedName, { consuming }: EventJournal): string[] {
  if (consuming || name === 'published') return [];
  return [
    'No consumer has started: handlers run once `await app.init()` has resolved, and those alone ' +
      'whose class is among the providers or controllers of a module.',
  ];
}

function arrived(all: readonly Sighting[]): string[] {
  if (all.length === 0) return ['Nothing arrived at all.'];
  const listed = all.slice(-LISTED);
  const left = all.length - listed.length;
  const head = left === 0 ? 'What arrived:' : `What arrived, after ${String(left)} earlier:`;
  return [head, ...listed.map((sighting) => `  - ${describeSighting(sighting)}`)];
}
