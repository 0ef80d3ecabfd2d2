import { setTimeout as sleep } from 'node:timers/promises';
import type { Broker } from 'kafkajs';
import { partitionName, type TopicPartition } from '../../records.js';
import { NOTHING_FETCHED, type FetchAnswer } from './fetch-gate.js';
import { isBrokerAway, isRefusedFetch, isStaleMetadata, isUnreadable } from './kafkajs-errors.js';

export type FetchRequest = Parameters<Broker['fetch']>[0];
type FetchPartition = FetchRequest['topics'][number]['partitions'][number];
type SendFetch = (request: FetchRequest) => Promise<FetchAnswer>;

/** How long a partition is left alone that the broker does not give us. */
const REFUSED_MS = 1000;
/** And one whose records cannot be read: it may cost much to find that out, and will not change soon. */
const UNREADABLE_MS = 5000;

/**
 * Fetches what can be fetched.
 *
 * kafkajs throws the first error that it finds in an answer, without saying of which partition, and
 * with it away what the others brought: one bad partition would stop all, and in the end the
 * consumer. A batch that cannot be read, because it is broken or grows beyond the bound, is such an
 * error as well. So after an error each partition is asked for by itself, and those that fail are left
 * out for a while.
 */
export class PartialFetch {
  private readonly leftOutUntil = new Map<string, number>();
  /** Brokers whose last answer, which kafkajs was told, was that they lead something no more. */
  private readonly stale = new Set<string>();

  /** @param pauseMs how long a fetch takes that asks for nothing. */
  constructor(
    private readonly pauseMs: number,
    private readonly onFailed: (partition: TopicPartition, offset: string, error: unknown) => void,
  ) {}

  async fetch(nodeId: string, request: FetchRequest, send: SendFetch): Promise<FetchAnswer> {
    const asked = { ...request, topics: this.withoutLeftOut(request.topics) };
    if (asked.topics.length === 0) {
      await sleep(this.pauseMs);
      return NOTHING_FETCHED;
    }
    try {
      const answer = await send(asked);
      this.stale.delete(nodeId);
      return answer;
    } catch (error) {
      if (isBrokerAway(error)) return this.leaveAllOut(asked, error);
      if (!concernsPartitions(error) || this.isNewsOfLeaders(nodeId, error)) throw error;
      return this.fetchEach({ ...asked, maxWaitTime: 0 }, send);
    }
  }

  private async fetchEach(request: FetchRequest, send: SendFetch): Promise<FetchAnswer> {
    const responses: FetchAnswer['responses'][number][] = [];
    for (const { topic, partitions } of request.topics) {
      for (const asked of partitions) {
        const sendFor = (partition: FetchPartition) =>
          send({ ...request, topics: [{ topic, partitions: [partition] }] });
        try {
          responses.push(...(await this.fetchOne(asked, sendFor)).responses);
        } catch (error) {
          if (!concernsPartitions(error)) throw error;
          this.leaveOut({ topic, partition: asked.partition }, asked.fetchOffset, error);
        }
      }
    }
    return { responses };
  }

  /** The next batch alone, where it cannot be read with those behind it: a broken one may be among them. */
  private async fetchOne(
    asked: FetchPartition,
    send: (asked: FetchPartition) => Promise<FetchAnswer>,
  ): Promise<FetchAnswer> {
    try {
      return await send(asked);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      // As many bytes as fit, but a batch at least.
      return send({ ...asked, maxBytes: 1 });
    }
  }

  private leaveAllOut({ topics }: FetchRequest, error: unknown): FetchAnswer {
    for (const { topic, partitions } of topics) {
      for (const { partition, fetchOffset } of partitions) {
        this.leaveOut({ topic, partition }, fetchOffset, error);
      }
    }
    return NOTHING_FETCHED;
  }

  /** kafkajs asks who leads now, and joins again. If that did not help, it is told every second time. */
  private isNewsOfLeaders(nodeId: string, error: unknown): boolean {
    if (!isStaleMetadata(error) || this.stale.delete(nodeId)) return false;
    this.stale.add(nodeId);
    return true;
  }

  private leaveOut(partition: TopicPartition, offset: string, error: unknown): void {
    const ms = isUnreadable(error) ? UNREADABLE_MS : REFUSED_MS;
    this.leftOutUntil.set(partitionName(partition), performance.now() + ms);
    this.onFailed(partition, offset, error);
  }

  private withoutLeftOut(topics: FetchRequest['topics']): FetchRequest['topics'] {
    if (this.leftOutUntil.size === 0) return topics;
    const now = performance.now();
    for (const [name, until] of this.leftOutUntil) {
      if (until <= now) this.leftOutUntil.delete(name);
    }
    return topics
      .map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.filter(
          ({ partition }) => !this.leftOutUntil.has(partitionName({ topic, partition })),
        ),
      }))
      .filter(({ partitions }) => partitions.length > 0);
  }
}

function concernsPartitions(error: unknown): boolean {
  return isRefusedFetch(error) || isUnreadable(error);
}
