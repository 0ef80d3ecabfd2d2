import { describe, expect, it } from '@jest/globals';

import { ViewedConsumers } from '../../../lib/views/viewed-consumers.js';

describe('the shutdown of consumers with views', () => {
  it('drains at once, however long views wait for a broker', async () => {
    let viewsStop: () => void = () => undefined;
    let drained = 0;
    const consumers = new ViewedConsumers(
      {
        start: () => Promise.resolve(),
        postpone: () => undefined,
        stop: () => {
          drained++;
          return Promise.resolve();
        },
      },
      {
        start: () => Promise.resolve(),
        stop: () =>
          new Promise((resolve) => {
            viewsStop = resolve;
          }),
      },
      'retry',
    );
    let isOver = false;
    const stopping = consumers.stop().then(() => {
      isOver = true;
    });
    await Promise.resolve();
    expect([drained, isOver]).toEqual([1, false]);
    viewsStop();
    await stopping;
  });
});
