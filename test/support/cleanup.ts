/**
 * What a test opens it closes, by registering the closing at the moment of creation: even a test
 * that fails half-way then leaves nothing behind. `cleanup.setup.ts` runs the registered functions.
 */
type Cleanup = () => unknown;

const ofFile: Cleanup[] = [];
const ofTest: Cleanup[] = [];
let inTest = false;

/**
 * Registers `fn` to run, last registered first, after the current test, or after the file when
 * called outside a test (`beforeAll`).
 */
export function onCleanup(fn: Cleanup): void {
  (inTest ? ofTest : ofFile).push(fn);
}

/** @internal Called by `cleanup.setup.ts` before each test. */
export function enterTest(): void {
  inTest = true;
}

/** @internal Called by `cleanup.setup.ts` after each test. */
export async function leaveTest(): Promise<void> {
  inTest = false;
  await runAll(ofTest);
}

/** @internal Called by `cleanup.setup.ts` after the last test of a file. */
export async function leaveFile(): Promise<void> {
  await runAll(ofFile);
}

async function runAll(cleanups: Cleanup[]): Promise<void> {
  const errors: unknown[] = [];
  for (let fn = cleanups.pop(); fn !== undefined; fn = cleanups.pop()) {
    try {
      await fn();
    } catch (error) {
      errors.push(error);
    }
  }
  if (errors.length > 0) throw new AggregateError(errors, 'Cleaning up after a test failed');
}
