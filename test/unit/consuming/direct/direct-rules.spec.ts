import { describe, expect, it } from '@jest/globals';

import {
  checkDirectDelivery,
  directHandlerProblems,
} from '../../../../lib/consuming/direct/direct-rules.js';
import { MemoryIdempotencyStore } from '../../../../lib/idempotency/memory-idempotency-store.js';
import { InvalidOptionsError } from '../../../../lib/kafka-events.errors.js';
import { anyEvent, handlerOf } from '../../../support/engine.js';
import { fragileStore } from '../../../support/fragile-store.js';
import { thrownBy } from '../../../support/thrown-by.js';

const Created = anyEvent('order.created');
const accepting = handlerOf('h', [Created], () => undefined, { acceptsDirect: true });
const other = handlerOf('other', [Created], () => undefined);
const directDelivery = {
  transport: { name: 'test', listen: () => Promise.resolve(), close: () => Promise.resolve() },
  ...{ deadlineMs: 1, maxInFlight: 1, rememberMs: 1 },
};
const idempotencyIn = (store: ReturnType<typeof fragileStore> | MemoryIdempotencyStore) => ({
  store,
  windowMs: 1,
  onStoreError: 'pause' as const,
});
const shared = idempotencyIn(fragileStore());
const ofProcess = idempotencyIn(new MemoryIdempotencyStore());

function problemsOf(check: () => void): string[] {
  const error = thrownBy(check);
  expect(error).toBeInstanceOf(InvalidOptionsError);
  return (error as InvalidOptionsError).problems.map(
    ({ option, problem }) => `${option}: ${problem}`,
  );
}

describe('direct delivery', () => {
  it('needs a store that all instances share, listened for or not', () => {
    for (const listens of [directDelivery, null]) {
      const check = () => {
        checkDirectDelivery([other, accepting], {
          idempotency: ofProcess,
          directDelivery: listens,
        });
      };
      expect(problemsOf(check)).toEqual([
        'idempotency.store: is one of this process alone ("memory"), and h accept(s) direct delivery: the copy ' +
          'from Kafka may come to another instance. Choose a shared store',
      ]);
    }
    checkDirectDelivery([other, accepting], { idempotency: shared, directDelivery });
    checkDirectDelivery([other], { idempotency: ofProcess, directDelivery: null });
  });

  it('opens no door that nobody is behind', () => {
    const check = () => {
      checkDirectDelivery([other], { idempotency: shared, directDelivery });
    };
    expect(problemsOf(check)).toEqual([
      'directDelivery: would listen for events that no handler accepts; set acceptsDirect on one, or leave it out',
    ]);
  });

  it('is not for handlers of whole topics', () => {
    const whole = { place: 'A.b (M)', contracts: [], wholeTopic: { topic: 'orders' } };
    const { settings } = accepting;
    expect(directHandlerProblems([{ ...whole, settings }])).toEqual([
      'A.b (M): acceptsDirect is for @EventHandler: a direct event has no record to hand over',
    ]);
    expect(directHandlerProblems([{ place: 'A.b (M)', contracts: [Created], settings }])).toEqual(
      [],
    );
  });
});
