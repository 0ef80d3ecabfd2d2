import { expect, it } from '@jest/globals';
import { TestProcess } from '../support/child-process.js';

const SECONDS = 12;

it('leaks nothing and loses nothing while clients come and go and brokers are troubled', async () => {
  // In a process of its own, where nothing else has sockets and timers.
  const args = ['--seconds', String(SECONDS), '--seed', '1'];
  const churn = TestProcess.start('bench/embedded-churn.ts', { args });

  const exitCode = await churn.waitForExit();

  expect(churn.lines.filter((line) => line.startsWith('PROBLEM'))).toEqual([]);
  expect(churn.lines.at(-1)).toBe('nothing is left, nothing is missing');
  expect(exitCode).toBe(0);
}, 180_000);
