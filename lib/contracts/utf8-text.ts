import { isUtf8 } from 'node:buffer';

const REPLACEMENT = '\uFFFD';

/** Bytes as text; null where they are not UTF-8. */
export function utf8Text(bytes: Buffer): string | null {
  const text = bytes.toString();
  // Decoding puts this character in place of what it cannot read; only where it stands do the bytes
  // have to be looked at once more, since they may spell it themselves.
  return text.includes(REPLACEMENT) && !isUtf8(bytes) ? null : text;
}
