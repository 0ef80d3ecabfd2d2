/**
 * Handles the orders of a run; prints `ready`, and for each line that comes in, once it has handled as many
 * orders as the line says, how long those between its times took.
 */
import 'reflect-metadata';

import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { Injectable, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { Ctx } from '@nestjs/microservices';
import { EventContext, EventHandler, KafkaEventsModule } from 'nestjs-kafka-events';

import { percentilesOf, type LoopResult } from './closed-loop.js';
import { OrderPlaced, type Surroundings } from './surroundings.js';

const { brokers, workMs } = JSON.parse(process.argv[2] ?? '{}') as Surroundings;

interface Handled {
  readonly sentAtMs: number;
  readonly tookMs: number;
}

let handled: Handled[] = [];
let awaited: LoopResult | null = null;

function reportIfDone(): void {
  if (awaited === null || handled.length < awaited.calls) return;
  const { fromMs, untilMs } = awaited;
  const counted = handled.filter(({ sentAtMs }) => sentAtMs >= fromMs && sentAtMs < untilMs);
  process.stdout.write(`${JSON.stringify(percentilesOf(counted.map(({ tookMs }) => tookMs)))}\n`);
  handled = [];
  awaited = null;
}

@Injectable()
class Orders {
  @EventHandler(OrderPlaced, { concurrency: 100 })
  async take(@Ctx() { timestamp }: EventContext): Promise<void> {
    await delay(workMs);
    const sentAtMs = timestamp.getTime();
    handled.push({ sentAtMs, tookMs: Date.now() - sentAtMs });
    reportIfDone();
  }
}

@Module({
  imports: [
    KafkaEventsModule.forRoot({
      clientId: 'bench-consumer',
      brokers,
      consumer: { groupId: `bench-${String(process.pid)}` },
      idempotency: { store: 'memory' },
    }),
  ],
  providers: [Orders],
})
class App {}

await NestFactory.createApplicationContext(App, { logger: ['error'] });
createInterface({ input: process.stdin }).on('line', (line) => {
  awaited = JSON.parse(line) as LoopResult;
  reportIfDone();
});
process.stdout.write('ready\n');
