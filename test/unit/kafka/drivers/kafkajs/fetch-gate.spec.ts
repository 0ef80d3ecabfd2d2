import { describe, expect, it } from '@jest/globals';
import {
  FetchGate,
  type FetchAnswer,
} from '../../../../../lib/kafka/drivers/kafkajs/fetch-gate.js';

const answerOf = (...messages: unknown[][]): FetchAnswer => ({
  responses: [{ partitions: messages.map((raw) => ({ messages: raw })) }],
});
const NOTHING = { responses: [] };

function openGate(): FetchGate {
  const gate = new FetchGate(1);
  gate.openNextRound();
  return gate;
}

/** A fetch whose answer the test gives when it likes. */
function pendingFetch(gate: FetchGate, nodeId: string) {
  let answer: (of: FetchAnswer) => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const sent = new Promise<FetchAnswer>((resolve, reject) => {
    answer = resolve;
    fail = reject;
  });
  gate.beginFetch(nodeId);
  return { got: gate.fetch(nodeId, () => sent), answer, fail };
}

describe('FetchGate', () => {
  it('lets a fetch of the current round through', async () => {
    const gate = openGate();
    const fetch = pendingFetch(gate, '1');
    const answer = answerOf(['a']);
    fetch.answer(answer);
    expect(await fetch.got).toBe(answer);
    expect(gate.admits(['a'])).toBe(true);
  });

  it('does not send while closed, and takes its time to say so', async () => {
    const gate = new FetchGate(30);
    let sent = false;
    const startedAt = performance.now();
    gate.beginFetch('1');
    const got = await gate.fetch('1', () => {
      sent = true;
      return Promise.resolve(answerOf(['a']));
    });
    expect(got).toEqual(NOTHING);
    expect(sent).toBe(false);
    expect(performance.now() - startedAt).toBeGreaterThan(25);
    expect(gate.admits(['a'])).toBe(false);
  });

  it('does not send what was prepared in an earlier round', async () => {
    const gate = openGate();
    gate.beginFetch('1');
    gate.close();
    gate.openNextRound();
    let sent = false;
    const got = await gate.fetch('1', () => {
      sent = true;
      return Promise.resolve(answerOf(['a']));
    });
    expect(got).toEqual(NOTHING);
    expect(sent).toBe(false);
  });

  it('withholds an answer that arrives in a later round, and an error just so', async () => {
    const gate = openGate();
    const answered = pendingFetch(gate, '1');
    const failed = pendingFetch(gate, '2');
    gate.close();
    gate.openNextRound();
    answered.answer(answerOf(['a']));
    failed.fail(new Error('out of range'));
    expect(await answered.got).toEqual(NOTHING);
    expect(await failed.got).toEqual(NOTHING);
  });

  it('throws what a fetch of the current round throws', async () => {
    const fetch = pendingFetch(openGate(), '1');
    fetch.fail(new Error('no leader'));
    await expect(fetch.got).rejects.toThrow('no leader');
  });

  it('empties what waits in kafkajs when a round ends', async () => {
    const gate = openGate();
    const [taken, one, other] = [['taken'], ['a'], ['b', 'c']];
    const first = pendingFetch(gate, '1');
    first.answer(answerOf(taken));
    await first.got;
    const second = pendingFetch(gate, '1');
    second.answer(answerOf(one, other));
    await second.got;

    gate.close();
    expect([one, other]).toEqual([[], []]);
    expect(gate.admits(one)).toBe(false);
    // Its fetcher came back for more: that one had been handed out.
    expect(taken).toEqual(['taken']);
  });

  it('stays shut', async () => {
    const gate = openGate();
    gate.shut();
    gate.openNextRound();
    const fetch = pendingFetch(gate, '1');
    fetch.answer(answerOf(['a']));
    expect(await fetch.got).toEqual(NOTHING);
    expect(gate.admits(['a'])).toBe(false);
  });
});
