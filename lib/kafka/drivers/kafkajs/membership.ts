import type { Broker, TopicOffsets } from 'kafkajs';
import type { CommitItem } from '../../driver.js';
import { toDriverError } from './kafkajs-errors.js';
import type { JoinAnswer } from './pre-join-assigner.js';

/** Our place in one generation of a group. */
export class Membership {
  constructor(
    private readonly groupId: string,
    private readonly coordinator: Broker,
    private readonly answer: JoinAnswer,
  ) {}

  get generationId(): number {
    return this.answer.generationId;
  }

  /**
   * Whether nobody else can have owned in between what we own in both. A generation that we did not
   * see through may have given our partitions to others, and a new member id is a new member.
   */
  continues(before: Membership): boolean {
    const generations = this.answer.generationId - before.answer.generationId;
    const sameMember = this.answer.memberId === before.answer.memberId;
    return sameMember && (generations === 0 || generations === 1);
  }

  /**
   * Commits in this generation, once.
   *
   * Past kafkajs's own `commitOffsets`: that one does nothing, and says nothing, when its consumer has
   * begun to stop; and it repeats a refused commit in the generation of a rejoin in between, in which
   * the partition may be another member's. The broker looks at the generation, not at who owns what.
   *
   * @throws DriverError of kind `fenced` when the group has moved on.
   */
  async commit(items: readonly CommitItem[]): Promise<void> {
    try {
      await this.coordinator.offsetCommit({
        groupId: this.groupId,
        groupGenerationId: this.answer.generationId,
        memberId: this.answer.memberId,
        topics: byTopic(items),
      });
    } catch (error) {
      throw toDriverError(error, 'committing offsets', 'consumer');
    }
  }
}

function byTopic(items: readonly CommitItem[]): TopicOffsets[] {
  const topics = new Map<string, TopicOffsets>();
  for (const { topic, partition, offset } of items) {
    const offsets = topics.get(topic) ?? { topic, partitions: [] };
    offsets.partitions.push({ partition, offset: String(offset) });
    topics.set(topic, offsets);
  }
  return [...topics.values()];
}
