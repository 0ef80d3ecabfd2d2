import type { IsolationLevel } from '../state/partition-log.js';

const READ_COMMITTED = 1;

export function isolationLevelOf(wireValue: number): IsolationLevel {
  return wireValue === READ_COMMITTED ? 'READ_COMMITTED' : 'READ_UNCOMMITTED';
}
