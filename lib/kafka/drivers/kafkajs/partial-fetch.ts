import { setTimeout as sleep } from 'node:timers/promises';
import type { Broker } from 'kafkajs';
import { partitionName, type TopicPartition } from '../../records.js';
import { NOTHING_FETCHED, type FetchAnswer } from './fetch-gate.js';
import { isRefusedFetch, isStaleMetadata } from './kafkajs-errors.js';

export type FetchRequest = Parameters<Broker['fetch']>[0];
type SendFetch = (request: FetchRequest) => Promise<FetchAnswer>;

/** How long a partition that could not be fetched is left alone. */
const LEFT_OUT_MS = 1000;

/**
 * Fetches what can be fetched.
 *
 * kafkajs throws the first error that it finds in an answer, without saying of which partition, and
 * with it away what the others brought: one bad partition would stop all, and in the end the
 * consumer. So after an error each partition is asked for by itself, and those that fail are left
 * out for a second.
 */
export class PartialFetch {
  private readonly leftOutUntil = new Map<string, number>();
  /** Brokers whose last answer, which kafkajs was told, was that they lead something no more. */
  private readonly stale = new Set<string>();

  /** @param pauseMs how long a fetch takes that asks for nothing. */
  constructor(
    private readonly pauseMs: number,
    private readonly onFailed: (partition: TopicPartition, error: unknown) => void,
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
      if (!isRefusedFetch(error) || this.isNewsOfLeaders(nodeId, error)) throw error;
      return this.fetchEach({ ...asked, maxWaitTime: 0 }, send);
    }
  }

  private async fetchEach(request: FetchRequest, send: SendFetch): Promise<FetchAnswer> {
    const responses: FetchAnswer['responses'][number][] = [];
    for (const { topic, partitions } of request.topics) {
      for (const asked of partitions) {
        try {
          const answer = await send({ ...request, topics: [{ topic, partitions: [asked] }] });
          responses.push(...answer.responses);
        } catch (error) {
          if (!isRefusedFetch(error)) throw error;
          this.leaveOut({ topic, partition: asked.partition }, error);
        }
      }
    }
    return { responses };
  }

  /** kafkajs asks who leads now, and joins again. If that did not help, it is told every second time. */
  private isNewsOfLeaders(nodeId: string, error: unknown): boolean {
    if (!isStaleMetadata(error) || this.stale.delete(nodeId)) return false;
    this.stale.add(nodeId);
    return true;
  }

  private leaveOut(partition: TopicPartition, error: unknown): void {
    this.leftOutUntil.set(partitionName(partition), performance.now() + LEFT_OUT_MS);
    this.onFailed(partition, error);
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
