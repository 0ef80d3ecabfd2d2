import { describe, expect, it } from '@jest/globals';

import { ShutdownError } from '../../../lib/kafka-events.errors.js';
import { ViewWaits } from '../../../lib/views/view-waits.js';

describe('who waits for a view', () => {
  it('waits until it has come so far, and is looked for more often meanwhile', async () => {
    let woken = 0;
    const waits = new ViewWaits(() => woken++);
    let isThere = false;
    const waiting = waits.until(() => isThere, true);
    expect([woken, waits.areHurried]).toEqual([1, true]);
    waits.moved();
    expect(waits.areHurried).toBe(true);
    isThere = true;
    waits.moved();
    await waiting;
    expect(waits.areHurried).toBe(false);
    await waits.until(() => true, true);
    expect(woken).toBe(1);
  });

  it('is told when something else ends the wait, and leaves nothing behind', async () => {
    const waits = new ViewWaits(() => undefined);
    let unsubscribed = 0;
    let end: (error: Error) => void = () => undefined;
    const waiting = waits.until(
      () => false,
      true,
      (reject) => {
        end = reject;
        return () => unsubscribed++;
      },
    );
    end(new Error('late'));
    await expect(waiting).rejects.toThrow('late');
    waits.moved();
    expect([unsubscribed, waits.areHurried]).toEqual([1, false]);
  });

  it('is told that the application stops, but for what has come so far by then', async () => {
    const waits = new ViewWaits(() => undefined);
    const waiting = waits.until(() => false, false);
    waits.end();
    await expect(waiting).rejects.toThrow(ShutdownError);
    await expect(waits.until(() => false, false)).rejects.toThrow(ShutdownError);
    await waits.until(() => true, false);
  });
});
