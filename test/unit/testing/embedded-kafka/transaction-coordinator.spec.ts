import { describe, expect, it } from '@jest/globals';
import { ProducerIds } from '../../../../lib/testing/embedded-kafka/state/producer-ids.js';
import {
  TransactionCoordinator,
  type TransactionalProducer,
} from '../../../../lib/testing/embedded-kafka/state/transaction-coordinator.js';
import { ManualClock } from '../../../support/manual-clock.js';
import { thrownBy } from '../../../support/thrown-by.js';

const TIMEOUT_MS = 60_000;
const ORDERS = { topic: 'orders', partition: 0 };
const STOCK = { topic: 'stock', partition: 3 };

/** A coordinator whose participants write down what they are told. */
function setUp() {
  const clock = new ManualClock();
  const told: string[] = [];
  const coordinator = new TransactionCoordinator({
    clock,
    producerIds: new ProducerIds(),
    endInPartition: ({ topic, partition }, { producerEpoch }, committed) => {
      told.push(
        `${topic}-${String(partition)} ${committed ? 'commit' : 'abort'} ${String(producerEpoch)}`,
      );
    },
    endInGroups: (producerId, committed) => {
      told.push(`groups ${committed ? 'commit' : 'abort'} of ${String(producerId)}`);
    },
  });
  const start = (transactionalId = 'shop'): TransactionalProducer => ({
    transactionalId,
    ...coordinator.initProducer(transactionalId, TIMEOUT_MS),
  });
  return { clock, told, coordinator, start };
}

const refusalOf = (call: () => unknown) => thrownBy(call).message.split(':')[0];

describe('TransactionCoordinator', () => {
  it('tells every partition and the groups how a transaction ended, once', () => {
    const { told, coordinator, start, clock } = setUp();
    const producer = start();
    coordinator.addPartitions(producer, [ORDERS, STOCK, ORDERS]);
    coordinator.addGroup(producer, 'readers');
    coordinator.end(producer, true);
    coordinator.end(producer, true);
    expect(told).toEqual(['orders-0 commit 0', 'stock-3 commit 0', 'groups commit of 0']);
    expect(clock.pending).toBe(0);
  });

  it('does not carry anything over to the next transaction', () => {
    const { told, coordinator, start } = setUp();
    const producer = start();
    coordinator.addPartitions(producer, [ORDERS]);
    coordinator.end(producer, true);
    coordinator.addPartitions(producer, [STOCK]);
    expect(
      refusalOf(() => {
        coordinator.verifyPartition(producer, ORDERS);
      }),
    ).toBe('INVALID_TXN_STATE');
    coordinator.end(producer, false);
    expect(told).toEqual(['orders-0 commit 0', 'stock-3 abort 0']);
  });

  it('does not end what was not begun, or ended otherwise', () => {
    const { coordinator, start } = setUp();
    const producer = start();
    const end = (committed: boolean) =>
      refusalOf(() => {
        coordinator.end(producer, committed);
      });
    expect(end(true)).toBe('INVALID_TXN_STATE');
    coordinator.addPartitions(producer, [ORDERS]);
    coordinator.end(producer, false);
    expect(end(true)).toBe('INVALID_TXN_STATE');
  });

  it('lets only the latest producer of an id go on', () => {
    const { coordinator, start } = setUp();
    const old = start();
    const latest = start();
    expect(latest).toMatchObject({ producerId: old.producerId, producerEpoch: 1 });
    for (const call of [
      () => {
        coordinator.addPartitions(old, [ORDERS]);
      },
      () => {
        coordinator.addGroup(old, 'readers');
      },
      () => {
        coordinator.verifyPartition(old, ORDERS);
      },
      () => {
        coordinator.verifyGroup(old, 'readers');
      },
      () => {
        coordinator.end(old, true);
      },
    ]) {
      expect(refusalOf(call)).toBe('INVALID_PRODUCER_EPOCH');
    }
    coordinator.addPartitions(latest, [ORDERS]);
    coordinator.verifyPartition(latest, ORDERS);
  });

  it('aborts under the next epoch what a predecessor left open', () => {
    const { told, coordinator, start, clock } = setUp();
    coordinator.addPartitions(start(), [ORDERS]);
    expect(refusalOf(start)).toBe('CONCURRENT_TRANSACTIONS');
    expect(told).toEqual(['orders-0 abort 1']);
    expect(clock.pending).toBe(0);
    expect(start().producerEpoch).toBe(2);
  });

  it('aborts a transaction that takes too long, counted from its begin', () => {
    const { told, coordinator, start, clock } = setUp();
    const producer = start();
    clock.advance(TIMEOUT_MS);
    coordinator.addPartitions(producer, [ORDERS]);
    clock.advance(TIMEOUT_MS / 2);
    coordinator.addPartitions(producer, [STOCK]);
    clock.advance(TIMEOUT_MS / 2 - 1);
    expect(told).toEqual([]);
    clock.advance(1);
    expect(told).toEqual(['orders-0 abort 1', 'stock-3 abort 1']);
    expect(
      refusalOf(() => {
        coordinator.end(producer, true);
      }),
    ).toBe('INVALID_PRODUCER_EPOCH');
  });

  it('knows no producer that it has not named', () => {
    const { coordinator, start } = setUp();
    const producer = start();
    for (const stranger of [
      { ...producer, transactionalId: 'other' },
      { ...producer, producerId: 77n },
    ]) {
      expect(
        refusalOf(() => {
          coordinator.addPartitions(stranger, [ORDERS]);
        }),
      ).toBe('INVALID_PRODUCER_ID_MAPPING');
    }
  });

  it('refuses ids and timeouts that mean nothing', () => {
    const { coordinator } = setUp();
    const init = (id: string, timeoutMs: number) =>
      refusalOf(() => coordinator.initProducer(id, timeoutMs));
    expect(init('', TIMEOUT_MS)).toBe('INVALID_REQUEST');
    expect(init('shop', 0)).toBe('INVALID_TRANSACTION_TIMEOUT');
    expect(init('shop', 16 * 60_000)).toBe('INVALID_TRANSACTION_TIMEOUT');
  });

  it('takes a new producer id when the epochs are used up', () => {
    const { start } = setUp();
    let producer = start();
    while (producer.producerEpoch < 0x7ffe) producer = start();
    expect(start()).toMatchObject({ producerId: producer.producerId + 1n, producerEpoch: 0 });
  });
});
