import { partitionName } from '../kafka/records.js';
import type { GroupHealth } from './health-report.js';
import { seconds } from './seconds.js';

/** One commit may fail in a rebalance; so many in a row are no accident. */
const WORRYING_COMMITS = 3;

/** What is wrong with a consumer group, in sentences. */
export function groupProblems(group: GroupHealth): string[] {
  return [
    stateProblems,
    topicProblems,
    fetchProblems,
    outageProblems,
    heldKeyProblems,
    pausedProblems,
  ].flatMap((problemsOf) => problemsOf(group));
}

/** Why a group does not consume, or not as it should. */
export function stateProblems({ groupId, state, error, failedCommits }: GroupHealth): string[] {
  if (state !== 'running') {
    return [`group "${groupId}" is ${state}${error === null ? '' : `: ${error}`}`];
  }
  if (failedCommits < WORRYING_COMMITS) return [];
  return [`group "${groupId}" could not commit ${String(failedCommits)} times in a row`];
}

function topicProblems({ groupId, unavailableTopics }: GroupHealth): string[] {
  return unavailableTopics.map(
    ({ topic, error }) => `group "${groupId}" cannot consume "${topic}": ${error}`,
  );
}

function fetchProblems({ groupId, partitions }: GroupHealth): string[] {
  return partitions.flatMap(({ fetchError, ...partition }) =>
    fetchError === null
      ? []
      : [`group "${groupId}" cannot read ${partitionName(partition)}: ${fetchError}`],
  );
}

function outageProblems({ groupId, outages }: GroupHealth): string[] {
  return outages.map(
    ({ handlerId, error, heldMs }) =>
      `group "${groupId}" holds ${handlerId} for ${seconds(heldMs)}, ` +
      `most of its records fail: ${error}`,
  );
}

function heldKeyProblems({ groupId, heldKeys }: GroupHealth): string[] {
  return heldKeys.map(
    ({ handlerId, offset, heldMs, ...partition }) =>
      `group "${groupId}": a key waits for ${partitionName(partition)}@${offset}, dead-lettered by ` +
      `${handlerId}, for ${seconds(heldMs)}; replay the dead letter, or release the key`,
  );
}

function pausedProblems({ groupId, paused }: GroupHealth): string[] {
  return paused.map(
    ({ what, heldMs }) =>
      `group "${groupId}": ${what} is paused by an operator for ${seconds(heldMs)}`,
  );
}
