import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

import { shopOptions, type ShopSurroundings } from '../shop.options.js';
import { DemoModule } from './demo.module.js';
import type { DemoNames } from './demo-names.js';

export interface ShopSettings extends ShopSurroundings {
  readonly brokers: readonly string[];
  readonly names: DemoNames;
  /** Turns the dedup of one handler off. */
  readonly breakDedup: boolean;
  /** Shows the library's log. */
  readonly verbose: boolean;
}

/** Boots the shop, and tells when the breaker of a service moves. */
export function openShop(settings: ShopSettings): Promise<INestApplicationContext> {
  const { brokers, names, breakDedup, verbose } = settings;
  const shop = DemoModule.on({
    clientId: 'shop',
    brokers,
    // So long a broker that is back waits for the members that it remembers, before it lets others in.
    consumer: { groupId: names.groupId, sessionTimeoutMs: 10_000 },
    topicName: (topic) => names.prefix + topic,
    topics: 'create',
    onUnavailable: 'fail',
    idempotency: { store: 'memory' },
    handlers: breakDedup ? { 'InventoryHandlers.reserveStock': { idempotency: false } } : {},
    observers: [
      {
        onBreakerOpened: ({ service }) => {
          console.log(`  breaker     of ${service} is open: most calls failed`);
        },
        onBreakerClosed: ({ service, openForMs }) => {
          const seconds = (openForMs / 1_000).toFixed(1);
          console.log(`  breaker     of ${service} is closed again, after ${seconds} s`);
        },
      },
    ],
    ...shopOptions(settings),
  });
  // Its log names every failed attempt and all that is away, and the story is full of them.
  return NestFactory.createApplicationContext(shop, {
    logger: verbose ? ['log', 'warn', 'error', 'fatal'] : ['fatal'],
    abortOnError: false,
  });
}
