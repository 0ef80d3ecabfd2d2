import { headerOf, type StoredRecord } from './bare-kafka.js';
import type { OrdersSeen } from './orders-seen.js';
import type { Row } from './summary.js';

const BILLING = 'BillingHandlers.chargeCustomer';
const INVENTORY = 'InventoryHandlers.reserveStock';
const ERP = 'erp.book-order';
const NO_HANDLER = 'no handler';
const REASONS = ['undecodable', 'invalid', 'unknown-version', 'retries-exhausted'];

/** A dead letter that should be there. */
interface Expected {
  readonly record: StoredRecord;
  readonly reason: string;
  readonly handler: string;
}

/**
 * Dead letters of a group by reason, counted when they name the right record and handler and are that record
 * byte for byte; one row for those of the view of the orders; the last one is for whatever else lies in the
 * dead-letter topics.
 */
export function deadLetterRows(
  seen: OrdersSeen,
  failingToken: string,
  groupId: string,
  all: readonly StoredRecord[],
): Row[] {
  const letters = all.filter((letter) => headerOf(letter, 'dlq-group') === groupId);
  const ofView = all.filter((letter) => headerOf(letter, 'dlq-group') !== groupId);
  const found = new Map(letters.map((letter) => [nameOf(letter), letter]));
  const expected = expectedLetters(seen, failingToken);
  const isThere = ({ record, reason, handler }: Expected): boolean => {
    const letter = found.get(`${placeOf(record)} ${reason} ${handler}`);
    return letter !== undefined && isCopy(letter, record);
  };
  const rows = REASONS.map((reason) => {
    const ofReason = expected.filter((letter) => letter.reason === reason);
    return {
      what: `dead letters: ${reason}`,
      expected: ofReason.length,
      counted: ofReason.filter(isThere).length,
    };
  });
  const others = letters.length - expected.filter(isThere).length;
  return [
    ...rows,
    viewRow(seen, ofView),
    { what: 'dead letters: any others', expected: 0, counted: others },
  ];
}

/** A view in memory reads its topics anew when its consumer is, and may find the same poison again. */
function viewRow({ poison }: OrdersSeen, letters: readonly StoredRecord[]): Row {
  const found = new Set(letters.map(originOf));
  return {
    what: 'dead letters: poison that the view met',
    expected: poison.length,
    counted: poison.filter(({ record }) => found.has(placeOf(record))).length,
  };
}

/** Handlers succeed and fail separately, so what none of them can read is dead-lettered by each. */
function expectedLetters({ orders, poison }: OrdersSeen, failingToken: string): Expected[] {
  const unreadable = poison.flatMap(({ record, reason }) => {
    const handlers = reason === 'unknown-version' ? [NO_HANDLER] : [INVENTORY, BILLING, ERP];
    return handlers.map((handler) => ({ record, reason, handler }));
  });
  const failing = orders.filter(({ paymentToken }) => paymentToken === failingToken);
  return [
    ...unreadable,
    ...failing.map(({ record }) => ({ record, reason: 'retries-exhausted', handler: BILLING })),
  ];
}

function nameOf(letter: StoredRecord): string {
  const reason = headerOf(letter, 'dlq-reason') ?? '?';
  const handler = headerOf(letter, 'dlq-handler') ?? NO_HANDLER;
  return `${originOf(letter)} ${reason} ${handler}`;
}

function originOf(letter: StoredRecord): string {
  const [topic, partition, offset] = ['topic', 'partition', 'offset'].map(
    (name) => headerOf(letter, `dlq-original-${name}`) ?? '?',
  );
  return `${topic ?? ''}[${partition ?? ''}]@${offset ?? ''}`;
}

function placeOf({ topic, partition, offset }: StoredRecord): string {
  return `${topic}[${partition}]@${offset}`;
}

function isCopy(letter: StoredRecord, record: StoredRecord): boolean {
  const headers = Object.keys(record.headers);
  return (
    String(letter.key) === String(record.key) &&
    String(letter.value) === String(record.value) &&
    headers.every((name) => headerOf(letter, name) === headerOf(record, name))
  );
}
