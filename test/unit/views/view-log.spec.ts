import { describe, expect, it } from '@jest/globals';

import type { AdminDriver, GroupLag } from '../../../lib/kafka/driver.js';
import { ViewLog } from '../../../lib/views/view-log.js';

/** A client that answers when the test says so. */
class PatientAdmin implements AdminDriver {
  readonly asked: string[] = [];
  closed = false;
  #settle: { answer(lag: GroupLag): void; fail(error: Error): void } | null = null;

  groupLag(groupId: string): Promise<GroupLag> {
    this.asked.push(groupId);
    return new Promise((answer, fail) => {
      this.#settle = { answer, fail };
    });
  }

  answer(): void {
    this.#settle?.answer({ members: 1, topics: [] });
  }

  fail(): void {
    this.#settle?.fail(new Error('the broker is away'));
  }

  describeTopics() {
    return Promise.resolve([]);
  }

  createTopics() {
    return Promise.resolve();
  }

  close() {
    this.closed = true;
    return Promise.resolve();
  }
}

function logOn(admins: readonly PatientAdmin[]): ViewLog {
  const unused = [...admins];
  const connect = () => {
    const next = unused.shift();
    if (next === undefined) throw new Error('no more connections were expected');
    return next;
  };
  return new ViewLog(connect, () => 0);
}

/** Lets everything go on that can. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a view log', () => {
  it('has its client asked one thing at a time, whoever looks', async () => {
    const admin = new PatientAdmin();
    const log = logOn([admin]);
    const looks = [log.look('orders', ['orders']), log.look('stock', ['stock'])];

    await settled();
    expect(admin.asked).toEqual(['orders']);
    admin.answer();
    await settled();
    expect(admin.asked).toEqual(['orders', 'stock']);
    admin.answer();
    await Promise.all(looks);
    expect(admin.closed).toBe(false);
  });

  it('takes the connection of a look that failed from nobody else', async () => {
    const [first, second] = [new PatientAdmin(), new PatientAdmin()];
    const log = logOn([first, second]);
    const failing = log.look('orders', ['orders']);
    const next = log.look('stock', ['stock']);

    await settled();
    first.fail();
    await expect(failing).rejects.toThrow('the broker is away');
    await settled();
    expect([first.closed, first.asked, second.asked]).toEqual([true, ['orders'], ['stock']]);
    second.answer();
    await expect(next).resolves.toMatchObject({ ends: [] });
  });

  it('opens no connection for looks that waited when it was closed', async () => {
    const admin = new PatientAdmin();
    const log = logOn([admin]);
    const under = log.look('orders', ['orders']);
    const waiting = log.look('stock', ['stock']);

    await settled();
    await log.close();
    admin.answer();
    await under;
    await expect(waiting).rejects.toMatchObject({ code: 'SHUTDOWN' });
    expect(admin.asked).toEqual(['orders']);
  });
});
