import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { mavenClassPath } from '../../test/support/maven-jars.js';
import type { HotKeyTask } from '../hot-keys/consumer.js';

const run = promisify(execFile);

const VERSION = '0.5.3.3';
const SOURCE = new URL('ParallelConsumerBench.java', import.meta.url).pathname;
const DEPENDENCIES = `
    <dependency>
      <groupId>io.confluent.parallelconsumer</groupId>
      <artifactId>parallel-consumer-core</artifactId><version>${VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-nop</artifactId><version>2.0.13</version>
    </dependency>
`;

/** A program and its arguments. */
export type Command = readonly [program: string, args: readonly string[]];

/**
 * How Confluent's Parallel Consumer is started for a task; `java` compiles its source as it starts.
 *
 * Rejects where there is no Maven, no JDK, or no way to the jars.
 */
export async function parallelConsumer(): Promise<(task: HotKeyTask) => Command> {
  await run('javac', ['-version']);
  const jars = await mavenClassPath(`parallel-consumer-${VERSION}`, DEPENDENCIES);
  return ({ brokers, topic, groupId, records, workMs, concurrency, failEvery }) => {
    const numbers = [records, workMs, concurrency, failEvery].map(String);
    const args = [brokers.join(','), topic, groupId, ...numbers];
    return ['java', ['-Xmx512m', '-cp', jars, SOURCE, ...args]];
  };
}
