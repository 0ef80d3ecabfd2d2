import { expect, it } from '@jest/globals';

import { Semaphore } from '../../../lib/consuming/semaphore.js';
import { settle } from '../../support/engine-events.js';

const NEVER = { onInterrupt: () => () => undefined };

it('serves those who wait when it grows, in order, and tells of what is left', async () => {
  let told = 0;
  const semaphore = new Semaphore(1, () => told++);
  semaphore.tryAcquire();
  const served: string[] = [];
  for (const name of ['a', 'b']) void semaphore.acquire(NEVER).then(() => served.push(name));

  semaphore.resize(2);
  await settle(1);
  expect(served).toEqual(['a']);
  expect(told).toBe(0);

  semaphore.resize(5);
  await settle(1);
  expect(served).toEqual(['a', 'b']);
  expect(semaphore.inUse).toBe(3);
  expect(told).toBe(1);
});

it('serves nobody while more are in use than it has shrunk to', async () => {
  const semaphore = new Semaphore(3);
  for (let i = 0; i < 3; i++) semaphore.tryAcquire();
  let served = false;
  void semaphore.acquire(NEVER).then(() => (served = true));

  semaphore.resize(1);
  semaphore.release();
  semaphore.release();
  await settle(1);
  expect(served).toBe(false);
  expect(semaphore.inUse).toBe(1);

  semaphore.release();
  await settle(1);
  expect(served).toBe(true);
  expect(semaphore.available).toBe(false);
});
