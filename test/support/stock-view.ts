import { setTimeout as sleep } from 'node:timers/promises';
import { IsBoolean, IsInt, IsString } from 'class-validator';

import {
  DomainEvent,
  defineView,
  projects,
  type EventPublisher,
  type MaterialisedView,
} from '../../lib/index.js';
import { systemClock } from '../../lib/contracts/clock.js';
import { eventually } from './eventually.js';
import { readWithKcat } from './kcat.js';

@DomainEvent({ type: 'stock.moved', version: 1, topic: 'stock', key: 'sku' })
export class StockMoved {
  @IsString() sku!: string;
  @IsInt() quantity!: number;
  /** Names the event. */
  @IsInt() number!: number;
}

@DomainEvent({ type: 'stock.retired', version: 1, topic: 'stock', key: 'sku' })
class StockRetired {
  @IsString() sku!: string;
  @IsInt() number!: number;
}

/** In the topic, and in no view. */
@DomainEvent({ type: 'stock.counted', version: 1, topic: 'stock', key: 'sku' })
export class StockCounted {
  @IsString() sku!: string;
  @IsBoolean() right!: boolean;
}

export interface StockLevel {
  readonly available: number;
  /** Of all events, in their order: another order, one twice, one left out, and it is another. */
  readonly digest: number;
}

/** An event of that quantity cannot be applied. */
export const POISON = 666;

function moved(current: StockLevel | null, quantity: number, number: number): StockLevel {
  const { available, digest } = current ?? { available: 0, digest: 7 };
  return { available: available + quantity, digest: (digest * 31 + number + 1) % 1_000_000_007 };
}

/** @param applyMs what applying one event takes, with the process doing nothing else. */
export function stockView({ version = 1, applyMs = 0 } = {}) {
  return defineView<StockLevel>({
    name: 'stock-level',
    version,
    on: [
      projects(StockMoved, {
        key: ({ sku }) => sku,
        apply: (current, { quantity, number }) => {
          if (quantity === POISON) throw new Error('poison');
          if (applyMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, applyMs);
          return moved(current, quantity, number);
        },
      }),
      projects(StockRetired, { key: ({ sku }) => sku, apply: () => null }),
    ],
  });
}

/** What a view must show, computed from the topic by another client. */
export async function stockInTopic(
  brokers: readonly string[],
  topic: string,
): Promise<Record<string, StockLevel>> {
  const rows: Record<string, StockLevel> = {};
  for (const { key, value, headers } of await readWithKcat(brokers, topic)) {
    const sku = key?.toString() ?? '';
    const type = headers.find(([name]) => name === 'event-type')?.[1];
    const event = JSON.parse(value?.toString() ?? '{}') as { quantity: number; number: number };
    if (type === 'stock.retired.v1') Reflect.deleteProperty(rows, sku);
    if (type !== 'stock.moved.v1' || event.quantity === POISON) continue;
    rows[sku] = moved(rows[sku] ?? null, event.quantity, event.number);
  }
  return rows;
}

/** All rows of a view, a few at a time. */
export async function rowsOf(
  view: MaterialisedView<StockLevel>,
): Promise<Record<string, StockLevel>> {
  const rows: Record<string, StockLevel> = {};
  for await (const { key, value } of view.scan({ limit: 7 })) rows[key] = value;
  return rows;
}

/** Waits until a view has what was in the log when this was called. */
export async function hasAllThereIs(view: MaterialisedView<StockLevel>): Promise<void> {
  const since = systemClock.now();
  await eventually(
    () => {
      const { ageMs } = view.staleness();
      return ageMs !== null && systemClock.now() - ageMs >= since;
    },
    { timeoutMs: 30_000, message: 'a view that has all there is' },
  );
}

/** Publishes movements until it is stopped, a few at once. */
export class StockLoad {
  published = 0;
  #stopped = false;
  readonly #ended: Promise<unknown>;

  constructor(
    private readonly events: EventPublisher,
    private readonly skus: number,
    from = 0,
    /** Of each of the four who publish, between two. */
    pauseMs = 0,
  ) {
    let number = from;
    const publish = async (): Promise<void> => {
      while (!this.#stopped) {
        await this.#publish(number++);
        this.published++;
        await sleep(pauseMs);
      }
    };
    this.#ended = Promise.all(Array.from({ length: 4 }, publish));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
  }

  async #publish(number: number): Promise<void> {
    const sku = `sku-${String(number % this.skus)}`;
    if (number % 17 === 3) await this.events.publish(StockCounted, { sku, right: true });
    else if (number % 23 === 5) await this.events.publish(StockRetired, { sku, number });
    else await this.events.publish(StockMoved, { sku, number, quantity: (number % 9) + 1 });
  }
}
