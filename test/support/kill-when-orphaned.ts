import { spawn, type ChildProcess } from 'node:child_process';

/**
 * A tiny process that waits on a pipe from us. When we end in whatever way, killed included, the
 * pipe closes and it takes the server and its data along.
 */
export function killWhenOrphaned(pid: number, directory: string): ChildProcess {
  const script = 'read _; kill -9 "$0"; rm -rf "$1"';
  const watchdog = spawn('sh', ['-c', script, String(pid), directory], {
    stdio: ['pipe', 'ignore', 'ignore'],
    // Out of reach of a Ctrl-C, which would end it before its work.
    detached: true,
  });
  watchdog.unref();
  return watchdog;
}
