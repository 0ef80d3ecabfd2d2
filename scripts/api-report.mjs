/**
 * Writes what users can name to `api/`, one file for each entry point, from the built package. A changed
 * signature shows in review there. With `--check` it writes nothing and fails where a report is out of date.
 */
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Extractor, ExtractorConfig } from '@microsoft/api-extractor';

const PROJECT = resolve(import.meta.dirname, '..');
const check = process.argv.includes('--check');

const manifest = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8'));
for (const [subpath, { types }] of Object.entries(manifest.exports)) {
  if (types === undefined) continue;
  const name = subpath === '.' ? manifest.name : subpath.slice(2);
  const { succeeded } = Extractor.invoke(configFor(name, types), { localBuild: !check });
  if (!succeeded) process.exitCode = 1;
}
if (process.exitCode === 1) {
  console.error(
    'The public API has changed: run `npm run build && npm run api`, and commit `api/`.',
  );
}

function configFor(name, types) {
  return ExtractorConfig.prepare({
    packageJsonFullPath: join(PROJECT, 'package.json'),
    configObjectFullPath: undefined,
    configObject: {
      projectFolder: PROJECT,
      mainEntryPointFilePath: join(PROJECT, types),
      compiler: { overrideTsconfig: tsconfig() },
      apiReport: {
        enabled: true,
        reportFolder: join(PROJECT, 'api'),
        reportFileName: name,
        reportTempFolder: join(PROJECT, 'node_modules/.cache/api'),
      },
      docModel: { enabled: false },
      dtsRollup: { enabled: false },
      tsdocMetadata: { enabled: false },
      messages: {
        compilerMessageReporting: { default: { logLevel: 'none' } },
        extractorMessageReporting: {
          default: { logLevel: 'none' },
          // Types without a name of their own are part of the API as well.
          'ae-forgotten-export': { logLevel: 'none', addToApiReportFile: true },
        },
        tsdocMessageReporting: { default: { logLevel: 'none' } },
      },
    },
  });
}

function tsconfig() {
  return {
    extends: './tsconfig.json',
    // The extractor looks for the globals of Node only where it is told to, and for disposables.
    compilerOptions: { lib: ['ES2023', 'ESNext.Disposable'], types: ['node'], paths: {} },
    include: ['dist'],
  };
}
