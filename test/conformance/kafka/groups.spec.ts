import { expect, it } from '@jest/globals';

import { describeEachKafka } from '../../support/each-kafka.js';
import { eventually } from '../../support/eventually.js';
import { createTopic, uniqueName } from '../../support/unique-topic.js';
import { WireMember, type JoinAnswer, type MemberOptions } from '../../support/wire-group.js';

describeEachKafka('consumer groups', (brokers) => {
  const member = (groupId: string, options?: MemberOptions) =>
    WireMember.connect(brokers, groupId, options);

  /** A group of one, stable. */
  async function stable(groupId = uniqueName('group'), options?: MemberOptions) {
    const leader = await member(groupId, options);
    const joined = await leader.join();
    const synced = await leader.sync(joined.members);
    expect({ joined: joined.errorCode, synced: synced.errorCode }).toEqual({
      joined: 0,
      synced: 0,
    });
    return leader;
  }

  /** Lets a second member into a stable group; both have joined, neither has synced. */
  async function secondJoins(first: WireMember): Promise<[WireMember, JoinAnswer, JoinAnswer]> {
    const second = await member(first.groupId);
    const joining = second.join();
    await eventually(async () => (await first.heartbeat()) === 27);
    const rejoined = await first.join();
    return [second, rejoined, await joining];
  }

  it('gives a new member an id before it lets it in', async () => {
    const first = await member(uniqueName('group'));
    const refused = await first.joinOnce();
    expect(refused).toMatchObject({ errorCode: 79, generationId: -1 });
    expect(refused.memberId).toMatch(/^wire-client-.+/);

    const joined = await first.joinOnce();
    expect(joined).toMatchObject({
      errorCode: 0,
      generationId: 1,
      groupProtocol: 'any',
      leaderId: refused.memberId,
      memberId: refused.memberId,
    });
    expect(joined.members.map(({ memberId }) => memberId)).toEqual([refused.memberId]);
  });

  it('refuses a member id it never gave out', async () => {
    const stranger = await member(uniqueName('group'));
    stranger.memberId = 'made-up';
    expect((await stranger.joinOnce()).errorCode).toBe(25);
  });

  it('refuses a session outside its bounds, and an empty group id', async () => {
    const hasty = await member(uniqueName('group'), { sessionTimeout: 1 });
    expect((await hasty.joinOnce()).errorCode).toBe(26);
    expect((await (await member('')).joinOnce()).errorCode).toBe(24);
  });

  it('gives each member what the leader assigned to it', async () => {
    const first = await stable();
    const [second, rejoined, joined] = await secondJoins(first);
    expect(rejoined.generationId).toBe(2);
    expect(joined.generationId).toBe(2);
    expect([rejoined.leaderId, joined.leaderId]).toEqual([first.memberId, first.memberId]);
    // Only the leader is told who is there.
    expect([rejoined.members.length, joined.members.length]).toEqual([2, 0]);

    const following = second.sync();
    const leading = await first.sync(rejoined.members);
    expect(leading.memberAssignment.toString()).toBe(first.memberId);
    expect((await following).memberAssignment.toString()).toBe(second.memberId);
  });

  it('tells members by their heartbeat that they must join again', async () => {
    const first = await stable();
    expect(await first.heartbeat()).toBe(0);
    const [, rejoined] = await secondJoins(first);
    await first.sync(rejoined.members);
    expect(await first.heartbeat()).toBe(0);
  });

  it('refuses heartbeats, syncs and commits of another generation or member', async () => {
    const topic = await createTopic(brokers);
    const first = await stable();
    first.generationId = 7;
    expect(await first.heartbeat()).toBe(22);
    expect((await first.sync()).errorCode).toBe(22);
    expect(await first.commit(topic, 1)).toBe(22);

    const stranger = await member(first.groupId);
    stranger.memberId = 'made-up';
    stranger.generationId = 1;
    expect(await stranger.heartbeat()).toBe(25);
    expect((await stranger.sync()).errorCode).toBe(25);
    expect(await stranger.commit(topic, 1)).toBe(25);
    expect(await stranger.leave()).toBe(25);
    expect(await first.committed(topic)).toBe(-1);
  });

  it('takes commits while members join, and none between the joins and the assignment', async () => {
    const topic = await createTopic(brokers);
    const first = await stable();
    const second = await member(first.groupId);
    const joining = second.join();
    await eventually(async () => (await first.heartbeat()) === 27);
    expect(await first.commit(topic, 5)).toBe(0);

    const rejoined = await first.join();
    await joining;
    expect(await first.commit(topic, 6)).toBe(27);
    expect(await first.heartbeat()).toBe(0);
    expect(await first.committed(topic)).toBe(5);

    void second.sync();
    await first.sync(rejoined.members);
    expect(await first.commit(topic, 6)).toBe(0);
    expect(await second.commit(topic, 7)).toBe(0);
  });

  it('takes commits without a member only while nobody is in the group', async () => {
    const topic = await createTopic(brokers);
    const outsider = await member(uniqueName('group'));
    expect(await outsider.commit(topic, 3)).toBe(0);
    expect(await outsider.committed(topic)).toBe(3);

    const first = await stable(outsider.groupId);
    expect(await outsider.commit(topic, 4)).toBe(25);
    expect(await first.leave()).toBe(0);
    expect(await outsider.commit(topic, 4)).toBe(0);
  });

  it('starts another generation when a member leaves', async () => {
    const first = await stable();
    const [second, rejoined] = await secondJoins(first);
    void second.sync();
    await first.sync(rejoined.members);
    expect(await second.leave()).toBe(0);
    expect(await first.heartbeat()).toBe(27);
    const alone = await first.join();
    expect(alone).toMatchObject({ errorCode: 0, generationId: 3 });
    expect(alone.members).toHaveLength(1);
  });

  it('answers a follower that joins again unchanged, and rebalances for the leader', async () => {
    const first = await stable();
    const [second, rejoined] = await secondJoins(first);
    const syncing = second.sync();
    await first.sync(rejoined.members);
    await syncing;

    expect(await second.join()).toMatchObject({ errorCode: 0, generationId: 2 });
    expect(await first.heartbeat()).toBe(0);

    const leading = first.join();
    await eventually(async () => (await second.heartbeat()) === 27);
    await second.join();
    expect(await leading).toMatchObject({ errorCode: 0, generationId: 3 });
  });

  it('drops a member that does not join again in time', async () => {
    const first = await stable(undefined, { rebalanceTimeout: 600 });
    const second = await member(first.groupId, { rebalanceTimeout: 600 });
    const joined = await second.join();
    expect(joined).toMatchObject({ errorCode: 0, generationId: 2, leaderId: second.memberId });
    expect(joined.members).toHaveLength(1);
    expect(await first.heartbeat()).toBe(25);
  });

  it('refuses a member without a protocol that all others know', async () => {
    const first = await stable(undefined, { protocols: ['roundrobin'] });
    const other = await member(first.groupId, { protocols: ['sticky'] });
    expect((await other.join()).errorCode).toBe(23);
  });

  it('chooses the protocol that all members know', async () => {
    const groupId = uniqueName('group');
    const first = await stable(groupId, { protocols: ['sticky', 'roundrobin'] });
    const second = await member(groupId, { protocols: ['roundrobin'] });
    const joining = second.join();
    await eventually(async () => (await first.heartbeat()) === 27);
    expect((await first.join()).groupProtocol).toBe('roundrobin');
    expect((await joining).groupProtocol).toBe('roundrobin');
  });

  it('keeps the place of a static member, and fences the one it replaces', async () => {
    const options = { groupInstanceId: 'pod-1' };
    const before = await stable(undefined, options);
    const after = await member(before.groupId, options);
    const joined = await after.join();
    expect(joined.errorCode).toBe(0);
    expect(after.memberId).not.toBe(before.memberId);
    // The same protocols: nobody else has to join again.
    expect(joined.generationId).toBe(before.generationId);
    expect(await before.heartbeat()).toBe(82);
    expect((await after.sync()).memberAssignment.toString()).toBe(before.memberId);
  });

  it('lists, describes and deletes groups', async () => {
    const first = await stable();
    const { groupId, client } = first;
    const { groups } = await client.send<{ groups: object[] }>('ListGroups', {});
    expect(groups).toContainEqual({ groupId, protocolType: 'consumer' });
    const described = () =>
      client.send<{ groups: object[] }>('DescribeGroups', { groupIds: [groupId] });
    expect((await described()).groups).toMatchObject([
      {
        errorCode: 0,
        groupId,
        state: 'Stable',
        protocolType: 'consumer',
        protocol: 'any',
        members: [{ memberId: first.memberId, clientId: 'wire-client' }],
      },
    ]);

    const remove = async () => {
      const { results } = await client.send<{ results: { errorCode: number }[] }>('DeleteGroups', [
        groupId,
      ]);
      return results[0]?.errorCode;
    };
    expect(await remove()).toBe(68);
    await first.leave();
    expect(await remove()).toBe(0);
    expect(await remove()).toBe(69);
    expect((await described()).groups).toMatchObject([{ groupId, state: 'Dead', members: [] }]);
  });
});
