import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { kafkaClassPath } from './kafka-jars.js';

const run = promisify(execFile);

const JVM_OPTIONS = [
  '-Xmx256m',
  ...['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'],
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=error',
];
/** Some tools go on for ever where a request is unknown, and do not end when asked to. */
const KILLED_AFTER = { timeout: 20_000, killSignal: 'SIGKILL' } as const;

/**
 * Runs one of Apache Kafka's command-line tools, named by its Java class; answers what it wrote.
 *
 * Throws, with what it wrote, when it fails or does not end.
 */
export async function runKafkaTool(
  javaClass: string,
  args: readonly string[],
  { input = '' }: { input?: string } = {},
): Promise<string> {
  const classPath = await kafkaClassPath();
  const running = run('java', [...JVM_OPTIONS, '-cp', classPath, javaClass, ...args], KILLED_AFTER);
  running.child.stdin?.end(input);
  try {
    const { stdout, stderr } = await running;
    return stdout + stderr;
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    throw new Error(`${javaClass} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
  }
}
