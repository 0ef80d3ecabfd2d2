import { spawnSync } from 'node:child_process';
import { describe } from '@jest/globals';

/**
 * A `describe` for tests that run other programs. Without one of them the block is skipped and says
 * what is missing, unless `REQUIRE_REAL_SERVICES=1` forbids that.
 */
export function describeWithCommand(
  commands: readonly string[],
  name: string,
  tests: () => void,
): void {
  const missing = commands.filter((command) => !isInstalled(command));
  if (missing.length === 0 || process.env.REQUIRE_REAL_SERVICES === '1') {
    describe(name, tests);
  } else {
    describe.skip(`${name} (skipped: ${missing.join(', ')} not installed)`, tests);
  }
}

function isInstalled(command: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$0"', command]).status === 0;
}
