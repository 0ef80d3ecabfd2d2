import { describe, expect, it } from '@jest/globals';

import { utf8Text } from '../../../lib/contracts/utf8-text.js';

describe('utf8Text', () => {
  it('reads UTF-8, the replacement character itself included', () => {
    for (const text of ['', 'plain', 'Zürich 東京 🚚', 'a \uFFFD stands here']) {
      expect(utf8Text(Buffer.from(text))).toBe(text);
    }
  });

  it('refuses bytes that are not UTF-8, wherever they stand', () => {
    for (const bytes of [[0xff], [0x61, 0xc3], [0xed, 0xa0, 0x80], [0x61, 0x80, 0x62]]) {
      expect(utf8Text(Buffer.from(bytes))).toBeNull();
    }
  });
});
