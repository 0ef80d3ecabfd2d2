import type { Sighting, SightedName } from './event-journal.js';

const LONGEST_TEXT = 160;

/** Completes "it was …". */
export const IN_WORDS: Readonly<Record<SightedName, string>> = {
  published: 'published',
  publishFailed: 'not published',
  handled: 'handled',
  duplicate: 'a duplicate',
  attemptFailed: 'tried and failed',
  parked: 'parked in a retry topic',
  deadLettered: 'dead-lettered',
  deadLetterFailed: 'not taken by the dead-letter topic',
  undeliverable: 'too large for the dead-letter topic',
  notOurs: 'handled by nobody here',
};

/** A sighting in one line: what happened, to which event, by whom, and why. */
export function describeSighting({ name, signal, record }: Sighting): string {
  const eventType = 'eventType' in signal ? signal.eventType : (record?.eventType ?? '');
  const eventId = 'eventId' in signal ? signal.eventId : (record?.eventId ?? '');
  const details = [
    'handlerId' in signal && signal.handlerId !== null ? `by ${signal.handlerId}` : null,
    'attempt' in signal ? `attempt ${String(signal.attempt)}` : null,
    'delayMs' in signal ? nextAttempt(signal.delayMs) : null,
    'reason' in signal ? signal.reason : null,
    'error' in signal ? shortened(`${signal.error.name}: ${signal.error.message}`) : null,
    textOf(record?.value),
  ];
  const type = eventType === '' ? '(no event type)' : eventType;
  return `${IN_WORDS[name]} ${type} ${eventId} ${details.filter((each) => each !== null).join(', ')}`;
}

function nextAttempt(delayMs: number | null): string {
  return delayMs === null ? 'the last' : `next in ${String(delayMs)} ms`;
}

function textOf(value: Buffer | null | undefined): string | null {
  return value === null || value === undefined ? null : shortened(value.toString());
}

function shortened(text: string): string {
  return text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT)}…`;
}
