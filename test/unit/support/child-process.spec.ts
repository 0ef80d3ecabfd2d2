import { describe, expect, it } from '@jest/globals';
import { TestProcess } from '../../support/child-process.js';

const ECHO = 'test/unit/support/echo.child.ts';

describe('TestProcess', () => {
  it('talks in lines with a TypeScript file and sees it end', async () => {
    const child = TestProcess.start(ECHO, { args: ['ada'], env: { GREETING: 'hello' } });
    await expect(child.waitForLine(/^ready/)).resolves.toBe('ready: hello ada');
    child.send('one');
    child.send('two');
    await expect(child.waitForLine('echo')).resolves.toBe('echo one');
    await expect(child.waitForLine('echo')).resolves.toBe('echo two');
    child.send('exit 3');
    await expect(child.waitForExit()).resolves.toBe(3);
  });

  it('names the line that never came, with what came instead', async () => {
    const child = TestProcess.start(ECHO);
    await child.waitForLine('ready');
    await expect(child.waitForLine('echo', 50)).rejects.toThrow(/never wrote echo\nstdout:\nready/);
    child.send('throw');
    await expect(child.waitForLine('echo')).rejects.toThrow(/ended without writing echo[^]*thrown/);
  });

  it('can be killed like by a power cut', async () => {
    const child = TestProcess.start(ECHO);
    await child.waitForLine('ready');
    await child.kill();
    await expect(child.waitForExit()).resolves.toBeNull();
  });
});
