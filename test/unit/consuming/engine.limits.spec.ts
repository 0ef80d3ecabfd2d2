import { createRequire } from 'node:module';

import { describe, expect, it } from '@jest/globals';

import { groupHealth } from '../../../lib/consuming/consumer-health.js';
import { redactSecrets } from '../../../lib/failure/redact.js';
import { toWireHeaders } from '../../../lib/kafka/drivers/kafkajs/kafkajs-headers.js';
import { groupProblems } from '../../../lib/observability/group-problems.js';
import { anyEvent, handlerOf, startEngine } from '../../support/engine.js';
import { eventually } from '../../support/eventually.js';
import { ManualClock } from '../../support/manual-clock.js';
import { ModelPartition } from '../../support/model-kafka.js';
import { append, settle } from '../../support/engine-events.js';

const Created = anyEvent('order.created');

/** One header, through kafkajs's own encoder and decoder. */
function decodedHeader(name: string): never {
  const require = createRequire(import.meta.url);
  const folder = 'kafkajs/src/protocol';
  const Decoder = require(`${folder}/decoder`) as new (bytes: Buffer) => { readVarInt(): number };
  const encode = require(`${folder}/recordBatch/record/v0`) as (record: object) => unknown;
  const decode = require(`${folder}/recordBatch/record/v0/decoder`) as (
    decoder: object,
    context: object,
  ) => { headers: never };
  const headers = Object.fromEntries([[name, Buffer.from('x')]]);
  const { buffer } = encode({ key: null, value: Buffer.from('v'), headers }) as { buffer: Buffer };
  const decoder = new Decoder(buffer);
  decoder.readVarInt();
  return decode(decoder, { firstOffset: '0', firstTimestamp: '0' }).headers;
}

describe('second look', () => {
  it('does not call a handler whose record was dead-lettered while its payload was read', async () => {
    const clock = new ManualClock();
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e1');
    let answer: (payload: unknown) => void = () => undefined;
    const read = new Promise<unknown>((resolve) => {
      answer = resolve;
    });
    const Slow = {
      ...Created,
      validate: () => read.then((payload) => ({ valid: true as const, payload })),
    };
    let runs = 0;
    const engine = await startEngine(
      [partition],
      [handlerOf('h', [Slow], () => runs++, { timeoutMs: 1_000 })],
      { clock },
    );
    engine.kafka.fetch(partition);
    await clock.advanceAsync(10_000);
    await settle();
    const { length: deadBefore } = engine.deadLetters;
    answer({});
    await settle();
    expect({ deadBefore, runs: deadBefore === 1 ? runs : 0 }).toEqual({ deadBefore, runs: 0 });
  });

  it.each(['constructor', 'toString', '__proto__'])('reads a header called %s', (name) => {
    const values = toWireHeaders(decodedHeader(name)).map(([, value]) => value);
    expect(values.every((value) => value === null || Buffer.isBuffer(value))).toBe(true);
    expect(values).toHaveLength(1);
  });

  it('redacts a url with a password and no user', () => {
    expect(redactSecrets('connect redis://:hunter2@cache:6379 failed')).not.toContain('hunter2');
  });

  it('is not all well while no offset can be committed', async () => {
    const partition = new ModelPartition('orders', 0);
    append(partition, 'e1');
    const engine = await startEngine([partition], [handlerOf('h', [Created], () => undefined)]);
    engine.kafka.refuseCommits = new Error('not authorized');
    engine.kafka.fetch(partition);
    await eventually(() => engine.count('commitFailed') > 20);
    const group = groupHealth(engine.consumer, [], (text) => text, 0);
    expect(groupProblems(group)).toEqual([
      expect.stringMatching(/^group ".+" could not commit \d+ times in a row$/),
    ]);
  });
});
