import { describe, expect, it } from '@jest/globals';
import { ProducerStates } from '../../../../lib/testing/embedded-kafka/state/producer-states.js';
import { producedBatch } from '../../../support/record-batches.js';

describe('ProducerStates', () => {
  it('forgets the producers that were silent the longest, and no others', () => {
    const states = new ProducerStates();
    const batchOf = (producerId: number) => producedBatch({ producerId: BigInt(producerId) });
    for (let producer = 0; producer < 256; producer++) states.appended(batchOf(producer));
    expect(states.duplicateOf(batchOf(0))).toBeDefined();

    states.appended(producedBatch({ producerId: 0n, baseSequence: 1 }));
    states.appended(batchOf(256));

    expect(states.duplicateOf(batchOf(1))).toBeUndefined();
    expect(states.duplicateOf(batchOf(0))).toBeDefined();
    expect(states.duplicateOf(batchOf(2))).toBeDefined();
    expect(states.duplicateOf(batchOf(256))).toBeDefined();
  });

  it('lets a forgotten producer go on with its sequence', () => {
    const states = new ProducerStates();
    for (let producer = 0; producer <= 256; producer++) {
      states.appended(producedBatch({ producerId: BigInt(producer) }));
    }
    expect(() => {
      states.check(producedBatch({ producerId: 0n, baseSequence: 5 }));
    }).not.toThrow();
    expect(() => {
      states.check(producedBatch({ producerId: 1n, baseSequence: 5 }));
    }).toThrow('OUT_OF_ORDER_SEQUENCE_NUMBER');
  });
});
