import { describe, expect, it } from '@jest/globals';

import { issueAt } from '../../../lib/contracts/payload-issue.js';

const payload = {
  card: '4111-1111 (visa)',
  quantity: 1,
  big: 10n,
  empty: '',
  flag: true,
  lines: [{ sku: 'a.b' }],
};

describe('issueAt', () => {
  it('joins the path', () => {
    expect(issueAt(payload, ['lines', 0, 'sku'], 'is wrong')).toEqual({
      path: 'lines.0.sku',
      message: 'is wrong',
    });
    expect(issueAt(payload, [], 'is wrong').path).toBe('');
  });

  it.each([
    [['card'], 'must be a number (was "4111-1111 (visa)")', 'must be a number (was "…")'],
    [['lines', 0, 'sku'], 'a.b is not a.b', '… is not …'],
    [['lines', 0, 'sku'], 'axb is no sku', 'axb is no sku'],
    [['quantity'], '1 is less than 10 and 21', '… is less than 10 and 21'],
    [['big'], 'must be below 10, got 10', 'must be below …, got …'],
  ])('takes the value at %j out of the message', (path, message, clean) => {
    expect(issueAt(payload, path, message).message).toBe(clean);
  });

  it.each([[['empty']], [['flag']], [['lines']], [['nowhere', 'at', 'all']]])(
    'leaves a message about %j as it is',
    (path) => {
      expect(issueAt(payload, path, 'must be true and []').message).toBe('must be true and []');
    },
  );
});
