import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const CACHE = resolve(import.meta.dirname, '../../node_modules/.cache');

/**
 * Answers a Java class path of these dependencies and theirs, downloaded once with Maven and kept
 * under `name`, which has to change with their versions.
 *
 * Throws when Maven is missing or cannot download.
 */
export async function mavenClassPath(name: string, dependencies: string): Promise<string> {
  const cache = join(CACHE, name);
  const classPath = join(cache, '*');
  if (await exists(cache)) return classPath;

  await mkdir(dirname(cache), { recursive: true });
  const staging = await mkdtemp(`${cache}-`);
  try {
    await writeFile(join(staging, 'pom.xml'), pomOf(dependencies));
    await run(
      'mvn',
      ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${join(staging, 'jars')}`],
      { cwd: staging },
    );
    // Renamed only when complete; a process that was faster has put the same jars there.
    await rename(join(staging, 'jars'), cache).catch(async (error: unknown) => {
      if (!(await exists(cache))) throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
  return classPath;
}

function pomOf(dependencies: string): string {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>test</groupId><artifactId>jars</artifactId><version>1</version>
  <dependencies>${dependencies}</dependencies>
</project>
`;
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
