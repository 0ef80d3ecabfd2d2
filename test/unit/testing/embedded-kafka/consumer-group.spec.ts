import { describe, expect, it } from '@jest/globals';
import { KafkaErrorCode } from '../../../../lib/testing/embedded-kafka/wire/kafka-error.js';
import { GroupOnTrial } from '../../../support/group-members.js';

const SECOND = 1_000;

describe('a group that begins', () => {
  it('waits for more members, anew as long as some come, up to the rebalance timeout', async () => {
    const group = new GroupOnTrial(3 * SECOND);
    const names = ['a', 'b', 'c', 'd', 'e'];
    const members = names.map((name) => group.member(name, { rebalanceTimeoutMs: 8 * SECOND }));
    const joins: Promise<unknown>[] = [];
    // Somebody in each delay: 3 s, 3 s, and what is left of the 8 s.
    for (const member of members.slice(0, 4)) {
      await member.giveId();
      joins.push(member.joinOnce());
      group.clock.advance(2 * SECOND - 1);
    }
    expect(group.state).toBe('PreparingRebalance');
    group.clock.advance(4);
    expect(group.state).toBe('CompletingRebalance');
    await Promise.all(joins);
    expect(members.map(({ generationId }) => generationId)).toEqual([1, 1, 1, 1, -1]);
  });

  it('does not wait on when nobody came', async () => {
    const group = new GroupOnTrial(3 * SECOND);
    const only = group.member('a');
    await only.giveId();
    const joining = only.joinOnce();
    group.clock.advance(3 * SECOND - 1);
    expect(group.state).toBe('PreparingRebalance');
    group.clock.advance(1);
    expect(await joining).toMatchObject({ generationId: 1 });
  });

  it('begins at once where there is no delay', async () => {
    const group = new GroupOnTrial();
    expect(await group.member('a').join()).toMatchObject({ generationId: 1 });
  });
});

describe('a member id that was given out', () => {
  it('holds the others up until it is used or its session has passed', async () => {
    const group = new GroupOnTrial();
    const first = group.member('a');
    await group.stable(first);
    await group.member('never comes').giveId();
    group.coordinator.triggerRebalance('g');
    const joining = first.joinOnce();
    expect(group.state).toBe('PreparingRebalance');
    group.clock.advance(10 * SECOND);
    expect(await joining).toMatchObject({ generationId: 2 });
  });

  it('is unknown after that time', async () => {
    const group = new GroupOnTrial();
    const late = group.member('a');
    await late.giveId();
    group.clock.advance(10 * SECOND);
    expect(await late.joinOnce()).toBe('UNKNOWN_MEMBER_ID');
  });

  it('is not asked for of clients that do not know of it', async () => {
    const group = new GroupOnTrial();
    const old = group.member('a', { knowsIdIsRequired: false });
    expect(await old.joinOnce()).toMatchObject({ generationId: 1, memberId: 'a-1' });
  });

  it('can be given back without a rebalance', async () => {
    const group = new GroupOnTrial();
    const first = group.member('a');
    await group.stable(first);
    const second = group.member('b');
    await second.giveId();
    expect(second.leave()).toBe(KafkaErrorCode.NONE);
    expect(group.state).toBe('Stable');
  });
});

describe('a session', () => {
  it('ends without heartbeats, and the others join again', async () => {
    const group = new GroupOnTrial();
    const [a, b] = [group.member('a'), group.member('b')];
    await group.stable(a, b);
    group.clock.advance(9 * SECOND);
    expect(await a.heartbeat()).toBe('ok');
    group.clock.advance(9 * SECOND);
    expect(await b.heartbeat()).toBe('UNKNOWN_MEMBER_ID');
    expect(await a.heartbeat()).toBe('REBALANCE_IN_PROGRESS');
    expect(group.members).toEqual(['a']);
  });

  it('is prolonged by a commit', async () => {
    const group = new GroupOnTrial();
    const a = group.member('a');
    await group.stable(a);
    for (let i = 0; i < 5; i++) {
      group.clock.advance(9 * SECOND);
      expect(await a.commit(i)).toBe('ok');
    }
  });

  it('does not run out while the member waits for others to join', async () => {
    const group = new GroupOnTrial();
    const [a, b] = [group.member('a'), group.member('b', { sessionTimeoutMs: 60 * SECOND })];
    await group.stable(a, b);
    const joining = a.join();
    group.clock.advance(25 * SECOND);
    expect(group.members).toEqual(['a', 'b']);
    await b.join();
    expect(await joining).toMatchObject({ generationId: 3 });
    // From now on it runs again.
    group.clock.advance(10 * SECOND);
    expect(group.members).toEqual(['b']);
  });

  it('does not run out while the member waits for its part', async () => {
    const group = new GroupOnTrial();
    const [a, b] = [group.member('a', { sessionTimeoutMs: 60 * SECOND }), group.member('b')];
    await a.join();
    await group.gather(b, a);
    const syncing = b.sync();
    group.clock.advance(25 * SECOND);
    expect(await a.sync([a, b])).toBe('a');
    expect(await syncing).toBe('b');
    group.clock.advance(10 * SECOND);
    expect(group.members).toEqual(['a']);
  });

  it('of a new member lasts while it waits, but not for ever', async () => {
    const group = new GroupOnTrial();
    const long = { sessionTimeoutMs: 60 * SECOND, rebalanceTimeoutMs: 600 * SECOND };
    const [a, b] = [group.member('a', long), group.member('b', long)];
    await group.stable(a);
    await b.giveId();
    const joining = b.joinOnce();
    for (let i = 0; i < 10; i++) {
      expect(group.members).toEqual(['a', 'b']);
      group.clock.advance(30 * SECOND);
      expect(await a.heartbeat()).toBe('REBALANCE_IN_PROGRESS');
    }
    expect(await joining).toBe('UNKNOWN_MEMBER_ID');
    expect(group.members).toEqual(['a']);
  });
});

describe('a rebalance', () => {
  it('waits for members as long as the slowest may take, then goes on without the others', async () => {
    const group = new GroupOnTrial();
    const [a, b] = [
      group.member('a', { sessionTimeoutMs: 60 * SECOND, rebalanceTimeoutMs: 5 * SECOND }),
      group.member('b', { sessionTimeoutMs: 60 * SECOND, rebalanceTimeoutMs: 20 * SECOND }),
    ];
    await group.stable(a, b);
    const joining = a.join();
    group.clock.advance(20 * SECOND - 1);
    expect(group.state).toBe('PreparingRebalance');
    group.clock.advance(1);
    expect(await joining).toMatchObject({ generationId: 3 });
    expect(await b.heartbeat()).toBe('UNKNOWN_MEMBER_ID');
  });

  it('refuses those who wait for a part of the generation that will not be', async () => {
    const group = new GroupOnTrial();
    const [a, b, c] = [group.member('a'), group.member('b'), group.member('c')];
    await a.join();
    await group.gather(b, a);
    const syncing = b.sync();
    await c.giveId();
    const joining = c.joinOnce();
    expect(await syncing).toBe('REBALANCE_IN_PROGRESS');
    await Promise.all([a.joinOnce(), b.joinOnce()]);
    expect(await joining).toMatchObject({ generationId: 3 });
  });

  it('removes a leader that hands out no parts, and all who did not ask for theirs', async () => {
    const group = new GroupOnTrial();
    const patient = { sessionTimeoutMs: 60 * SECOND, rebalanceTimeoutMs: 20 * SECOND };
    const [a, b, c] = ['a', 'b', 'c'].map((name) => group.member(name, patient));
    if (!a || !b || !c) throw new Error('three members');
    await a.join();
    await group.gather(b, c, a);
    const syncing = b.sync();
    group.clock.advance(20 * SECOND);
    expect(await syncing).toBe('REBALANCE_IN_PROGRESS');
    expect(group.members).toEqual(['b']);
    expect(await b.join()).toMatchObject({ generationId: 3, leaderId: b.id });
  });

  it('repeats its answer to a member that lost it', async () => {
    const group = new GroupOnTrial();
    const [a, b] = [group.member('a'), group.member('b')];
    await a.join();
    await group.gather(b, a);
    expect(await b.joinOnce()).toMatchObject({ generationId: 2, members: [] });
    expect(await a.joinOnce()).toMatchObject({ generationId: 2, members: { length: 2 } });
    expect(group.state).toBe('CompletingRebalance');
  });

  it('begins anew when such a member has news', async () => {
    const group = new GroupOnTrial();
    const a = group.member('a', { protocols: [['any', 'topics: t']] });
    await a.join();
    const changed = group.member('a', { protocols: [['any', 'topics: t, u']] });
    changed.id = a.id;
    expect(await changed.joinOnce()).toMatchObject({ generationId: 2 });
  });

  it('lets the member ask twice: the first question is refused', async () => {
    const group = new GroupOnTrial();
    const [a, b] = [group.member('a'), group.member('b')];
    await group.stable(a, b);
    const lost = a.joinOnce();
    const again = a.joinOnce();
    expect(await lost).toBe('REBALANCE_IN_PROGRESS');
    await b.join();
    expect(await again).toMatchObject({ generationId: 3 });
  });

  it('tells parts again to a member of a stable group', async () => {
    const group = new GroupOnTrial();
    const [a, b] = [group.member('a'), group.member('b')];
    await group.stable(a, b);
    expect(await b.sync()).toBe('b');
  });

  it('leaves an empty group behind when everybody is gone', async () => {
    const group = new GroupOnTrial();
    const a = group.member('a');
    await group.stable(a);
    await a.commit(4);
    expect(a.leave()).toBe(KafkaErrorCode.NONE);
    expect(group.state).toBe('Empty');
    expect(group.generationId).toBe(2);
    expect(group.clock.pending).toBe(0);
    expect(group.coordinator.offsetsOf('g')?.at('t', 0)?.offset).toBe(4n);
  });

  it('agrees on the protocol that most prefer of those that all know', async () => {
    const group = new GroupOnTrial();
    const a = group.member('a', { protocols: ['only a', 'x', 'y'] });
    const b = group.member('b', { protocols: ['y', 'x'] });
    const c = group.member('c', { protocols: ['y', 'x'] });
    await group.stable(a, b, c);
    expect(group.coordinator.describe('g')?.protocol).toBe('y');
  });
});

describe('a static member', () => {
  const asPod = { groupInstanceId: 'pod', rebalanceTimeoutMs: 5 * SECOND };

  it('keeps its place in a rebalance that it misses, until it should have asked for its part', async () => {
    const group = new GroupOnTrial();
    const [a, pod] = [
      group.member('a', { rebalanceTimeoutMs: 5 * SECOND }),
      group.member('pod', asPod),
    ];
    await group.stable(a, pod);
    const joining = a.join();
    group.clock.advance(5 * SECOND);
    expect(await joining).toMatchObject({ generationId: 3, members: { length: 2 } });
    expect(group.members).toEqual(['a', 'pod']);
    expect(await a.sync([a, pod])).toBe('a');
    group.clock.advance(5 * SECOND - 1);
    expect(await a.heartbeat()).toBe('ok');
    group.clock.advance(1);
    expect(group.members).toEqual(['a']);
    expect(await a.heartbeat()).toBe('REBALANCE_IN_PROGRESS');
  });

  it('alone and away holds the rebalance up until its session ends', async () => {
    const group = new GroupOnTrial();
    const pod = group.member('pod', asPod);
    await group.stable(pod);
    group.coordinator.triggerRebalance('g');
    group.clock.advance(5 * SECOND);
    expect(group.state).toBe('PreparingRebalance');
    group.clock.advance(5 * SECOND);
    expect(group.state).toBe('Empty');
  });

  it('comes back as leader without being asked to hand out parts', async () => {
    const group = new GroupOnTrial();
    const [pod, b] = [group.member('pod', asPod), group.member('b')];
    await group.stable(pod, b);
    const successor = group.member('pod', asPod);
    expect(await successor.join()).toMatchObject({
      generationId: 2,
      leaderId: pod.id,
      members: [],
    });
    expect(await successor.sync()).toBe('pod');
    expect(await pod.heartbeat()).toBe('FENCED_INSTANCE_ID');
    expect(group.coordinator.describe('g')?.leaderId).toBe(successor.id);
    expect(await b.heartbeat()).toBe('ok');
  });

  it('comes back in the middle of a rebalance: whoever waits under its name is fenced', async () => {
    const group = new GroupOnTrial();
    const [a, pod] = [group.member('a'), group.member('pod', asPod)];
    await group.stable(a, pod);
    group.coordinator.triggerRebalance('g');
    const former = pod.join();
    const successor = group.member('pod', asPod);
    const joining = successor.join();
    expect(await former).toBe('FENCED_INSTANCE_ID');
    await a.join();
    expect(await joining).toMatchObject({ generationId: 3 });
  });

  it('can be removed by its name alone', async () => {
    const group = new GroupOnTrial();
    await group.stable(group.member('pod', asPod));
    const leavers = [
      { memberId: '', groupInstanceId: 'pod' },
      { memberId: '', groupInstanceId: 'nobody' },
    ];
    expect(group.coordinator.leave('g', leavers)).toEqual([
      { ...leavers[0], errorCode: KafkaErrorCode.NONE },
      { ...leavers[1], errorCode: KafkaErrorCode.UNKNOWN_MEMBER_ID },
    ]);
    expect(group.state).toBe('Empty');
  });
});

describe('faults', () => {
  it('makes all members join again', async () => {
    const group = new GroupOnTrial();
    const [a, b] = [group.member('a'), group.member('b')];
    await group.stable(a, b);
    group.coordinator.triggerRebalance('g');
    expect([await a.heartbeat(), await b.heartbeat()]).toEqual([
      'REBALANCE_IN_PROGRESS',
      'REBALANCE_IN_PROGRESS',
    ]);
    await group.gather(a, b);
    expect(group.generationId).toBe(3);
  });

  it('ends a session before its time', async () => {
    const group = new GroupOnTrial();
    const [a, b] = [group.member('a'), group.member('b')];
    await group.stable(a, b);
    group.coordinator.expireMember('g', a.id);
    expect(await a.heartbeat()).toBe('UNKNOWN_MEMBER_ID');
    expect(await b.heartbeat()).toBe('REBALANCE_IN_PROGRESS');
    expect(() => {
      group.coordinator.expireMember('g', a.id);
    }).toThrow('UNKNOWN_MEMBER_ID');
    expect(() => {
      group.coordinator.triggerRebalance('none');
    }).toThrow('GROUP_ID_NOT_FOUND');
  });

  it('sends members that wait to another coordinator, where they go on', async () => {
    const group = new GroupOnTrial();
    const [a, b] = [group.member('a'), group.member('b')];
    await group.stable(a, b);
    const joining = a.join();
    group.coordinator.coordinatorMoved('g');
    expect(await joining).toBe('NOT_COORDINATOR');
    await group.gather(a, b);
    const syncing = b.sync();
    group.coordinator.coordinatorMoved('g');
    expect(await syncing).toBe('NOT_COORDINATOR');
    await a.sync([a, b]);
    expect(await b.sync()).toBe('b');
  });

  it('keeps nobody waiting, and no timer, when it closes', async () => {
    const group = new GroupOnTrial();
    const [a, b] = [group.member('a'), group.member('b')];
    await group.stable(a, b);
    await group.member('c').giveId();
    const joining = a.join();
    group.coordinator.close();
    expect(await joining).toBe('COORDINATOR_NOT_AVAILABLE');
    expect(group.clock.pending).toBe(0);
  });
});

describe('deleting a group', () => {
  it('takes its offsets and the ids that it gave out', async () => {
    const group = new GroupOnTrial();
    const a = group.member('a');
    await group.stable(a);
    expect(() => {
      group.coordinator.delete('g');
    }).toThrow('NON_EMPTY_GROUP');
    a.leave();
    await group.member('b').giveId();
    group.coordinator.delete('g');
    expect(group.coordinator.describe('g')).toBeUndefined();
    expect(group.clock.pending).toBe(0);
    expect(() => {
      group.coordinator.delete('g');
    }).toThrow('GROUP_ID_NOT_FOUND');
  });
});
