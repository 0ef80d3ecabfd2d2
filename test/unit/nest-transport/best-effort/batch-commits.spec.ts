import { describe, expect, it } from '@jest/globals';

import {
  BatchCommits,
  type CommittingConsumer,
} from '../../../../lib/nest-transport/best-effort/batch-commits.js';
import { settle } from '../../../support/engine-events.js';
import { ManualClock } from '../../../support/manual-clock.js';

const ORDERS = { topic: 'orders', partition: 3 };

/** A consumer that ends batches when told, and answers commits when told. */
class ModelledConsumer implements CommittingConsumer {
  readonly events = { END_BATCH_PROCESS: 'consumer.end_batch_process' } as const;
  readonly commits: string[] = [];
  #ended: Parameters<CommittingConsumer['on']>[1] = () => undefined;
  #answers: ((error?: Error) => void)[] = [];

  on(_name: string, listener: Parameters<CommittingConsumer['on']>[1]): void {
    this.#ended = listener;
  }

  commitOffsets(items: readonly { topic: string; partition: number; offset: string }[]) {
    this.commits.push(
      items.map((item) => `${item.topic}[${item.partition}]=${item.offset}`).join(),
    );
    return new Promise<void>((resolve, reject) => {
      this.#answers.push((error) => {
        if (error === undefined) resolve();
        else reject(error);
      });
    });
  }

  async answer(error?: Error): Promise<void> {
    this.#answers.shift()?.(error);
    await settle(2);
  }

  endBatch(firstOffset: string, lastOffset: string, at = ORDERS): void {
    this.#ended({ payload: { ...at, firstOffset, lastOffset } });
  }
}

describe('the commits behind Nest’s own server', () => {
  const start = () => {
    const clock = new ManualClock();
    const consumer = new ModelledConsumer();
    const failures: unknown[] = [];
    const commits = new BatchCommits(consumer, {
      intervalMs: 500,
      clock,
      onFailed: (error) => failures.push(error),
    });
    return { clock, consumer, commits, failures };
  };

  it('take the last record of a batch for done when the batch has ended', () => {
    const { consumer, commits } = start();
    commits.begin(ORDERS, 10n);
    commits.begin(ORDERS, 11n);
    expect(consumer.commits).toEqual([]);

    consumer.endBatch('10', '11');

    expect(consumer.commits).toEqual(['orders[3]=12']);
  });

  it('do not pass a record that was not begun, where a batch ends before its last', () => {
    const { consumer, commits } = start();
    commits.begin(ORDERS, 10n);

    consumer.endBatch('10', '99');

    expect(consumer.commits).toEqual(['orders[3]=11']);
  });

  it('leave out a batch of which no record was begun, and one of another ownership', () => {
    const { consumer, commits } = start();
    consumer.endBatch('0', '9', { topic: 'others', partition: 0 });
    commits.begin(ORDERS, 10n);
    consumer.endBatch('500', '600');

    expect(consumer.commits).toEqual([]);
  });

  it('take what came before a record for done when it begins, once an interval', () => {
    const { clock, consumer, commits } = start();
    commits.begin(ORDERS, 10n);
    clock.advance(600);
    commits.begin(ORDERS, 11n);
    commits.begin(ORDERS, 12n);

    expect(consumer.commits).toEqual(['orders[3]=11']);
  });

  it('go out one at a time, the latest of each partition, and report what is refused', async () => {
    const { consumer, commits, failures } = start();
    const other = { topic: 'orders', partition: 4 };
    for (const offset of [10n, 11n, 12n]) {
      commits.begin(ORDERS, offset);
      consumer.endBatch(String(offset), String(offset));
    }
    commits.begin(other, 7n);
    consumer.endBatch('7', '7', other);
    expect(consumer.commits).toEqual(['orders[3]=11']);

    const refused = new Error('the generation is over');
    await consumer.answer(refused);

    expect(consumer.commits).toEqual(['orders[3]=11', 'orders[3]=13,orders[4]=8']);
    expect(failures).toEqual([refused]);
  });
});
