import type { GroupOverrides, GroupSettings } from '../kafka-events.options.js';
import { DEFAULTS } from './defaults.js';
import type { OptionProblems } from './option-problems.js';
import { BYTES, COUNT, DRAIN_MS, DURATION_MS } from './option-ranges.js';
import { onlyGiven, type OptionSection } from './option-section.js';

/** What was given of a group's options. */
export function readGroup(section: OptionSection<GroupOverrides>): GroupOverrides {
  return onlyGiven({
    sessionTimeoutMs: section.integer('sessionTimeoutMs', DURATION_MS),
    rebalanceTimeoutMs: section.integer('rebalanceTimeoutMs', DURATION_MS),
    heartbeatIntervalMs: section.integer('heartbeatIntervalMs', DURATION_MS),
    maxBytesPerPartition: section.integer('maxBytesPerPartition', BYTES),
    maxWaitTimeMs: section.integer('maxWaitTimeMs', DURATION_MS),
    commitIntervalMs: section.integer('commitIntervalMs', DURATION_MS),
    maxSpan: section.integer('maxSpan', COUNT),
    maxConcurrency: section.integer('maxConcurrency', COUNT),
    revokeDrainMs: section.integer('revokeDrainMs', DRAIN_MS),
    metadataMaxAgeMs: section.integer('metadataMaxAgeMs', DURATION_MS),
    stallAfterMs: section.integer('stallAfterMs', DURATION_MS),
  });
}

/** Fills in the defaults; those that must fit the session follow it. */
export function completeGroup(given: GroupOverrides): Omit<GroupSettings, 'groupId'> {
  const { group } = DEFAULTS;
  const { sessionTimeoutMs = group.sessionTimeoutMs } = given;
  const third = Math.floor(sessionTimeoutMs / 3);
  return {
    ...group,
    heartbeatIntervalMs: Math.min(group.heartbeatIntervalMs, third),
    revokeDrainMs: Math.min(group.revokeDrainMs, third),
    rebalanceTimeoutMs: Math.max(group.rebalanceTimeoutMs, sessionTimeoutMs),
    ...given,
  };
}

/**
 * Rules between the options of one group, reported under its path; left out where one of those
 * options, or what the group has of `consumer`, is wrong already.
 */
export function checkGroup(problems: OptionProblems, path: string, given: GroupOverrides): void {
  const { sessionTimeoutMs, rebalanceTimeoutMs, heartbeatIntervalMs, revokeDrainMs } =
    completeGroup(given);
  const names = ['heartbeatIntervalMs', 'revokeDrainMs', 'rebalanceTimeoutMs', 'sessionTimeoutMs'];
  const wrong = [path, 'consumer'].flatMap((owner) => names.map((name) => `${owner}.${name}`));
  if (problems.concern(...wrong)) return;
  const session = `sessionTimeoutMs (${String(sessionTimeoutMs)})`;
  const tooLong = { heartbeatIntervalMs, revokeDrainMs };
  for (const [name, value] of Object.entries(tooLong)) {
    if (value <= sessionTimeoutMs / 3) continue;
    problems.add(`${path}.${name}`, `must be at most a third of ${session}, got ${String(value)}`);
  }
  if (rebalanceTimeoutMs < sessionTimeoutMs) {
    const got = String(rebalanceTimeoutMs);
    problems.add(`${path}.rebalanceTimeoutMs`, `must be at least ${session}, got ${got}`);
  }
}
