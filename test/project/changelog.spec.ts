import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';

import { planRelease, provenanceProblem } from '../../scripts/release-plan.js';

const PROJECT = resolve(import.meta.dirname, '../..');
const TODAY = '2026-11-24';

/** A changelog with these unreleased sections, after a release 0.4.1. */
function changelogWith(sections: Readonly<Record<string, readonly string[]>>): string {
  const unreleased = Object.entries(sections).flatMap(([name, changes]) => [
    `### ${name}`,
    '',
    ...changes.map((change) => `- ${change}`),
    '',
  ]);
  return [
    '# Changelog\n',
    '## [Unreleased]\n',
    ...unreleased,
    '## [0.4.1] - 2026-01-01\n',
    '### Fixed\n',
    '- A leak.\n',
  ].join('\n');
}

describe('the next release', () => {
  it.each([
    ['0.4.1', { Fixed: ['a'] }, '0.4.2'],
    ['0.4.1', { Security: ['a'] }, '0.4.2'],
    ['0.4.1', { Added: ['a'], Fixed: ['b'] }, '0.5.0'],
    ['0.4.1', { Changed: ['**Breaking**: a'] }, '0.5.0'],
    ['1.4.1', { Added: ['a'] }, '1.5.0'],
    ['1.4.1', { Deprecated: ['a'] }, '1.5.0'],
    ['1.4.1', { Changed: ['**Breaking**: a'] }, '2.0.0'],
    ['1.4.1', { Removed: ['a'] }, '2.0.0'],
  ])('of %s with %j is %s', (current, sections, next) => {
    const { version, changelog } = planRelease(changelogWith(sections), current, TODAY);

    expect(version).toBe(next);
    expect(changelog).toContain(`## [Unreleased]\n\n## [${next}] - ${TODAY}\n`);
    // Released once, it is not released again.
    expect(() => planRelease(changelog, next, TODAY)).toThrow('nothing is unreleased');
  });

  it('is the version that package.json has, where there was none before', () => {
    const first = '# Changelog\n\n## [Unreleased]\n\n### Added\n\n- All of it.\n';
    expect(planRelease(first, '0.1.0', TODAY).version).toBe('0.1.0');
  });

  it.each([
    ['without unreleased changes', changelogWith({})],
    ['with a section that nobody knows', changelogWith({ Improved: ['a'] })],
    ['without the heading', '# Changelog\n\n## [0.4.1] - 2026-01-01\n\n### Fixed\n\n- A leak.\n'],
  ])('is refused %s', (_what, changelog) => {
    expect(() => planRelease(changelog, '0.4.1', TODAY)).toThrow();
  });

  it('can be planned from the changelog as it stands', async () => {
    const changelog = await readFile(resolve(PROJECT, 'CHANGELOG.md'), 'utf8');
    const manifest = JSON.parse(await readFile(resolve(PROJECT, 'package.json'), 'utf8')) as {
      version: string;
      publishConfig?: { provenance?: boolean };
    };

    expect(planRelease(changelog, manifest.version, TODAY).version).toMatch(/^\d+\.\d+\.\d+$/);
    expect(manifest.publishConfig).toEqual({ access: 'public', provenance: true });
  });

  it('is not published without the repository that its provenance names', () => {
    const publishConfig = { provenance: true };
    expect(provenanceProblem({ publishConfig })).toContain('repository is missing');
    expect(provenanceProblem({ repository: 'owner/name' })).toContain('publishConfig');
    expect(provenanceProblem({ publishConfig, repository: 'owner/name' })).toBeNull();
  });
});
