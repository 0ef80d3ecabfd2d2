import { describe, expect, it } from '@jest/globals';

import { ViewProgress } from '../../../lib/views/view-progress.js';

function at(offset: number, partition = 0) {
  return { topic: 'stock', partition, offset: BigInt(offset) };
}

describe('the progress of a view', () => {
  it('is unknown before the first look', () => {
    const progress = new ViewProgress();
    progress.learn([at(5)]);
    expect(progress.reachedAt).toBeNull();
    expect(progress.recordsBehind).toBeNull();
  });

  it('is as old as the latest look that it has reached, though it is never at the end', () => {
    const progress = new ViewProgress();
    for (let second = 0; second < 10; second++) {
      progress.look(second * 1_000, [at(second * 100 + 10)]);
      progress.learn([at(second * 100)]);
    }
    // At 900: it has what was there at 8 s, which ended at 810, and not what was there at 9 s.
    expect(progress.reachedAt).toBe(8_000);
    expect(progress.recordsBehind).toBe(10);
    progress.learn([at(910)]);
    expect(progress.reachedAt).toBe(9_000);
    expect(progress.recordsBehind).toBe(0);
  });

  it('waits for every partition', () => {
    const progress = new ViewProgress();
    progress.look(1, [at(3), at(2, 1), at(0, 2)]);
    progress.learn([at(9)]);
    expect(progress.reachedAt).toBeNull();
    expect(progress.recordsBehind).toBe(2);
    progress.learn([at(2, 1)]);
    expect(progress.reachedAt).toBe(1);
  });

  it('never goes back', () => {
    const progress = new ViewProgress();
    progress.learn([at(7)]);
    progress.learn([at(3)]);
    expect(progress.positions).toEqual([at(7)]);
  });

  it('remembers the oldest look that it has not reached, however many follow', () => {
    const progress = new ViewProgress();
    for (let second = 0; second < 10_000; second++) progress.look(second, [at(second + 1)]);
    progress.learn([at(1)]);
    expect(progress.reachedAt).toBe(0);
    progress.learn([at(10_000)]);
    expect(progress.reachedAt).toBe(9_999);
  });

  it('tells whoever waits when it moves, until they stop listening', () => {
    const progress = new ViewProgress();
    let told = 0;
    const stop = progress.onMove(() => told++);
    progress.learn([at(1)]);
    progress.learn([at(1)]);
    expect(told).toBe(1);
    stop();
    progress.learn([at(2)]);
    expect(told).toBe(1);
  });
});
