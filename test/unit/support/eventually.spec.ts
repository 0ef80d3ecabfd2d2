import { describe, expect, it } from '@jest/globals';
import { eventually } from '../../support/eventually.js';

describe('eventually', () => {
  it('returns the first answer that is there, through failures and empty answers', async () => {
    const answers = [undefined, null, false, 0];
    let calls = 0;
    const probe = () => {
      if (calls++ === 0) throw new Error('not yet');
      return answers.shift();
    };
    await expect(eventually(probe, { intervalMs: 1 })).resolves.toBe(0);
    expect(calls).toBe(5);
  });

  it('names what was awaited and why it failed last', async () => {
    const probe = () => {
      throw new Error('3 of 5 handled');
    };
    await expect(
      eventually(probe, { timeoutMs: 5, intervalMs: 1, message: 'handling' }),
    ).rejects.toThrow('After 5 ms, handling still failed: 3 of 5 handled');
    await expect(eventually(() => false, { timeoutMs: 5, intervalMs: 1 })).rejects.toThrow(
      'the condition still answered false',
    );
  });
});
