import { createHash } from 'node:crypto';

/** The name of a claim in the table. */
export function hashOf(key: string): Buffer {
  return createHash('sha256').update(key).digest();
}
