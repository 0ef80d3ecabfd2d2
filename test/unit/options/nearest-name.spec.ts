import { describe, expect, it } from '@jest/globals';

import { nearestName } from '../../../lib/options/nearest-name.js';

const NAMES = ['clientId', 'brokers', 'consumer', 'consume', 'topics', 'topicName'];

describe('nearestName', () => {
  it.each([
    ['clientID', 'clientId'],
    ['broker', 'brokers'],
    ['consumers', 'consumer'],
    ['cosnume', 'consume'],
    ['topicname', 'topicName'],
    ['clinetId', 'clientId'],
  ])('takes %s for %s', (typed, meant) => {
    expect(nearestName(typed, NAMES)).toBe(meant);
  });

  it.each(['', 'x', 'password', 'interceptors'])('takes %j for nothing', (typed) => {
    expect(nearestName(typed, NAMES)).toBeNull();
  });
});
