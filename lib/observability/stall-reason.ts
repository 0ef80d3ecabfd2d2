/** What the record that a stalled partition's offset waits for waits for itself, as far as is known. */
export type StallReason =
  'handler' | 'paused' | 'outage' | 'retry' | 'lease' | 'store' | 'dead-letter' | 'defect' | 'turn';

const WAITS_FOR: Readonly<Record<StallReason, string>> = {
  handler: 'its handler to return',
  paused: 'its handler, which is paused by an operator',
  outage: 'an outage of its handler to end',
  retry: 'its next attempt',
  lease: 'another process, which has its claim',
  store: 'the idempotency store',
  'dead-letter': 'its dead letter to be taken',
  defect: 'a restart, because of a defect of nestjs-kafka-events',
  turn: 'its turn',
};

/** For people: who is at work on it, or what it waits for. */
export function describeStall(waitsFor: StallReason, handlers: readonly string[]): string {
  return handlers.length > 0 ? `in ${handlers.join(', ')}` : `waits for ${WAITS_FOR[waitsFor]}`;
}
