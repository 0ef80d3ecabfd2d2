import { parser, type Release } from 'keep-a-changelog';
import { inc, major, type ReleaseType } from 'semver';

/** What a release will be, from what the changelog says is in it. */
export interface ReleasePlan {
  readonly version: string;
  /** The changelog with the unreleased changes under the new version. */
  readonly changelog: string;
}

/** An entry that begins so breaks somebody's code, whatever its section. */
const BREAKING = '**Breaking**';
const UNRELEASED = '## [Unreleased]';

/**
 * Plans the next release: the version follows from the unreleased changes as Semantic Versioning
 * has it. What is removed, or marked `**Breaking**`, is a major change (a minor one before 1.0.0),
 * what is added, changed or deprecated a minor one, what is fixed a patch. The very first release has
 * the version that package.json has.
 *
 * @param today as ISO date.
 * @throws Error when the changelog is not in the form of Keep a Changelog, or nothing is unreleased.
 */
export function planRelease(changelog: string, current: string, today: string): ReleasePlan {
  const { releases } = parser(changelog);
  const unreleased = releases.find(({ version }) => version === undefined);
  if (unreleased === undefined || !changelog.includes(UNRELEASED)) {
    throw new Error(`CHANGELOG.md has no "${UNRELEASED}"`);
  }
  if (unreleased.isEmpty()) throw new Error('CHANGELOG.md: nothing is unreleased');
  const isFirst = releases.length === 1;
  const version = isFirst ? current : inc(current, bumpOf(unreleased, current));
  if (version === null) throw new Error(`${current} is not a version`);
  return {
    version,
    changelog: changelog.replace(UNRELEASED, `${UNRELEASED}\n\n## [${version}] - ${today}`),
  };
}

function bumpOf({ changes }: Release, current: string): ReleaseType {
  const has = (...sections: string[]): boolean =>
    sections.some((section) => (changes.get(section) ?? []).length > 0);
  const isBreaking = [...changes.values()].flat().some(({ title }) => title.startsWith(BREAKING));
  if (isBreaking || has('removed')) return major(current) === 0 ? 'minor' : 'major';
  return has('added', 'changed', 'deprecated') ? 'minor' : 'patch';
}

/** Why a package cannot be published with provenance; null when it can. */
export function provenanceProblem(manifest: {
  readonly repository?: unknown;
  readonly publishConfig?: { readonly provenance?: boolean };
}): string | null {
  if (manifest.publishConfig?.provenance !== true) return 'publishConfig.provenance is not true';
  if (manifest.repository === undefined) {
    return 'repository is missing: the registry compares it with the repository that built the package';
  }
  return null;
}
