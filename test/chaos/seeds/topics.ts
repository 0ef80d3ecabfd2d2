/** What the writer writes to, and both handlers take. */
export const TOPIC = 'orders';
export const GROUP = 'shop';
export const DEAD_LETTERS = `${TOPIC}.dlq`;
export const RETRY_TOPIC = `${TOPIC}.${GROUP}.retry`;

/** One record's place in a topic. */
export interface Place {
  readonly partition: number;
  readonly offset: number;
}
