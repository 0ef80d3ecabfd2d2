import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const KAFKA_VERSION = '4.1.0';
const CACHE = resolve(
  import.meta.dirname,
  '../../node_modules/.cache',
  `kafka-and-tools-${KAFKA_VERSION}`,
);

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>test</groupId><artifactId>kafka-broker</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>${KAFKA_VERSION}</version>
    </dependency>
    <dependency>
      <groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId>
      <version>${KAFKA_VERSION}</version>
      <!-- Connect and its web server; what the tools we run need comes with the broker. -->
      <exclusions>
        <exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion>
      </exclusions>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
`;

/**
 * Answers the Java class path of Apache Kafka and its command-line tools, downloading it once with Maven (43 MB).
 *
 * Throws when Maven is missing or cannot download.
 */
export async function kafkaClassPath(): Promise<string> {
  const classPath = join(CACHE, '*');
  if (await exists(CACHE)) return classPath;

  await mkdir(dirname(CACHE), { recursive: true });
  const staging = await mkdtemp(`${CACHE}-`);
  try {
    await writeFile(join(staging, 'pom.xml'), POM);
    await run(
      'mvn',
      ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${join(staging, 'jars')}`],
      { cwd: staging },
    );
    // Renamed only when complete; a process that was faster has put the same jars there.
    await rename(join(staging, 'jars'), CACHE).catch(async (error: unknown) => {
      if (!(await exists(CACHE))) throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return classPath;
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
