import { createHash } from 'node:crypto';

/** Namespace of this package's name-based UUIDs; random, fixed for ever. */
const NAMESPACE = Buffer.from('5b0d9a1c6f3e4d7a9c52e8a40f7b1d36', 'hex');

/**
 * A UUID version 5 of the given parts: the same parts give the same id, everywhere.
 *
 * @see RFC 9562, section 5.5
 */
export function deterministicEventId(parts: readonly string[]): string {
  // JSON keeps the boundaries: ['a', 'bc'] and ['ab', 'c'] must not meet.
  const hash = createHash('sha1').update(NAMESPACE).update(JSON.stringify(parts)).digest();
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = hash.toString('hex', 0, 16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}
