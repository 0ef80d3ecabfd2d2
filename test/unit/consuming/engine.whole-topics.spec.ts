import { describe, expect, it } from '@jest/globals';

import type { EventContext } from '../../../lib/consuming/event-context.js';
import type {
  BoundHandler,
  CallControl,
  WholeTopic,
} from '../../../lib/consuming/event-handler.js';
import { EventOutcome } from '../../../lib/consuming/event-outcome.js';
import type { HandlerSettings } from '../../../lib/consuming/handler-options.js';
import { DEAD_LETTER_HEADERS } from '../../../lib/contracts/event-headers.js';
import type {
  ClaimAnswer,
  ClaimRequest,
  Completion,
  IdempotencyStore,
  Release,
  Renewal,
} from '../../../lib/idempotency/idempotency-store.js';
import { MemoryIdempotencyStore } from '../../../lib/idempotency/memory-idempotency-store.js';
import { UndecodableRecordError } from '../../../lib/kafka-events.errors.js';
import { anyEvent, handlerOf, startEngine } from '../../support/engine.js';
import { append, idOf, settle } from '../../support/engine-events.js';
import { eventually } from '../../support/eventually.js';
import { ModelPartition } from '../../support/model-kafka.js';

const Created = anyEvent('order.created');
const QUICK = { attempts: 3, initialDelayMs: 1, factor: 1, maxDelayMs: 1, jitter: 0 };

type Body = (payload: unknown, context: EventContext, control: CallControl) => unknown;

interface WholeOptions extends Partial<HandlerSettings> {
  readonly read?: WholeTopic['read'];
  readonly filter?: BoundHandler['filter'];
}

/** A handler of all of `orders`, given the text of each record. */
function wholeTopicHandler(
  id: string,
  body: Body,
  { read = ({ value }) => String(value), filter = () => null, ...settings }: WholeOptions = {},
): BoundHandler {
  const plain = handlerOf(id, [], () => undefined, {
    retry: QUICK,
    tombstones: true,
    ...settings,
  });
  return { ...plain, wholeTopic: { topic: 'orders', read }, invoke: body, filter };
}

function ordersWith(...eventIds: string[]): ModelPartition {
  const partition = new ModelPartition('orders', 0);
  for (const id of eventIds) append(partition, id);
  return partition;
}

describe('a handler of a whole topic', () => {
  it('is given every record as it reads it: typed, untyped, of unknown types, and tombstones', async () => {
    const partition = ordersWith('e1');
    partition.append({ value: Buffer.from('plain text') });
    append(partition, 'e3', { type: 'nobody.knows.v7' });
    partition.append({ value: null });
    const seen: unknown[] = [];
    const { kafka } = await startEngine(
      [partition],
      [wholeTopicHandler('all', (payload) => seen.push(payload))],
    );

    kafka.fetch(partition);

    await eventually(() => partition.committed === 4n);
    expect(seen).toEqual([
      '{"id":"e1","padding":""}',
      'plain text',
      '{"id":"e3","padding":""}',
      'null',
    ]);
  });

  it('stands beside handlers of events, and takes what those do not', async () => {
    const partition = ordersWith('e1');
    append(partition, 'e2', { type: 'order.created.v9' });
    const byAll: unknown[] = [];
    const byEvent: string[] = [];
    const { kafka, deadLetters } = await startEngine(
      [partition],
      [
        handlerOf('created', [Created], (payload) => byEvent.push(idOf(payload))),
        wholeTopicHandler('all', (_payload, { eventId }) => byAll.push(eventId)),
      ],
    );

    kafka.fetch(partition);

    await eventually(() => partition.committed === 2n);
    expect(byEvent).toEqual(['e1']);
    expect(byAll).toEqual(['e1', 'e2']);
    expect(deadLetters).toEqual([]);
  });

  it('is not claimed for unless it asks', async () => {
    const partition = ordersWith('same', 'same');
    let runs = 0;
    const { kafka } = await startEngine([partition], [wholeTopicHandler('all', () => runs++)]);

    kafka.fetch(partition);

    await eventually(() => partition.committed === 2n);
    expect(runs).toBe(2);
  });

  it('learns from its claim that an event is done, and the record ends as a duplicate', async () => {
    const partition = ordersWith('same', 'same');
    const claims: boolean[] = [];
    const engine = await startEngine(
      [partition],
      [
        wholeTopicHandler('all', async (_payload, _context, control) => {
          claims.push(await control.claim());
        }),
      ],
    );

    engine.kafka.fetch(partition);

    await eventually(() => partition.committed === 2n);
    expect(claims).toEqual([true, false]);
    expect(engine.count('duplicate')).toBe(1);
    expect(engine.count('handled')).toBe(1);
  });

  it('waits, without being called, for as long as another process holds the claim, and then runs', async () => {
    const store = new MemoryIdempotencyStore();
    const partition = ordersWith('e1');
    const bodies: string[] = [];
    const handler = wholeTopicHandler('all', async (_payload, { eventId }, control) => {
      if (await control.claim()) bodies.push(eventId);
    });
    heldElsewhere(store, 'e1', 100);
    const engine = await startEngine([partition], [handler], { store });

    engine.kafka.fetch(partition);
    await eventually(() => engine.count('leaseWait') > 0);
    await settle();
    expect(bodies).toEqual([]);
    expect(partition.committed).toBeNull();

    await eventually(() => partition.committed === 1n);
    expect(bodies).toEqual(['e1']);
  });

  it('is a duplicate although what stands around it fails without its answer', async () => {
    const partition = ordersWith('same', 'same');
    const handler = wholeTopicHandler('all', async (_payload, _context, control) => {
      if (!(await control.claim())) throw new TypeError("cannot read 'id' of undefined");
    });
    const engine = await startEngine([partition], [handler]);

    engine.kafka.fetch(partition);

    await eventually(() => partition.committed === 2n);
    expect(engine.count('duplicate')).toBe(1);
    expect(engine.count('attemptFailed')).toBe(0);
    expect(engine.deadLetters).toEqual([]);
  });

  it('is not claimed for once its time is over, and holds no claim that comes too late', async () => {
    const store = new MemoryIdempotencyStore();
    const partition = ordersWith('e1');
    let free = (): void => undefined;
    const freed = new Promise<void>((resolve) => (free = resolve));
    const late: unknown[] = [];
    const handler = wholeTopicHandler(
      'all',
      async (_payload, _context, control) => {
        await freed;
        try {
          late.push(await control.claim());
        } catch (error) {
          late.push(error);
        }
      },
      { timeoutMs: 20 },
    );
    const engine = await startEngine([partition], [handler], { store });
    engine.kafka.fetch(partition);
    await eventually(() => engine.deadLetters.length === 1);

    free();

    await eventually(() => late.length === 1);
    expect(late).toEqual([expect.objectContaining({ name: 'HandlerTimeoutError' })]);
    expect(store.size).toBe(0);
  });

  it('gives a claim back that comes when the call is over already', async () => {
    for (const ending of ['succeeds', 'fails']) {
      const store = new SlowStore();
      const partition = ordersWith('e1');
      let calls = 0;
      const late: unknown[] = [];
      const handler = wholeTopicHandler('all', (_payload, _context, control) => {
        if (++calls > 1) return;
        void Promise.resolve(control.claim()).then((claimed) => late.push(claimed));
        if (ending === 'fails') throw new Error('without waiting for the claim');
      });
      const engine = await startEngine([partition], [handler], { store });
      engine.kafka.fetch(partition);
      await eventually(() => engine.count(ending === 'fails' ? 'attemptFailed' : 'handled') === 1);

      const answering = setInterval(() => {
        store.answer();
      }, 1);
      await eventually(() => partition.committed === 1n);
      clearInterval(answering);

      expect(late).toEqual([false]);
      await settle();
      const state = heldElsewhere(store.memory, 'e1', 100);
      // Where it failed a second call, with a claim of its own, has marked it.
      expect(state).toBe(ending === 'fails' ? 'done' : 'claimed');
    }
  });

  it('may be claimed for twice in one call, by two interceptors', async () => {
    const partition = ordersWith('e1', 'e1');
    const claims: unknown[] = [];
    const store = new SlowStore();
    const handler = wholeTopicHandler('all', async (_payload, _context, control) => {
      claims.push(await Promise.all([control.claim(), control.claim()]), await control.claim());
    });
    const engine = await startEngine([partition], [handler], { store });
    engine.kafka.fetch(partition);

    const answering = setInterval(() => {
      store.answer();
    }, 1);
    await eventually(() => partition.committed === 2n);
    clearInterval(answering);

    expect(claims).toEqual([[true, true], true, [false, false], false]);
    expect(engine.count('duplicate')).toBe(1);
  });

  it('keeps the attempts of a claim it asked for, and dead-letters at the end of them', async () => {
    const partition = ordersWith('e1', 'e1');
    const attempts: number[] = [];
    const engine = await startEngine(
      [partition],
      [
        wholeTopicHandler('all', async (_payload, { attempt }, control) => {
          if (!(await control.claim())) return;
          attempts.push(attempt);
          throw new Error('always');
        }),
      ],
    );

    engine.kafka.fetch(partition);

    await eventually(() => partition.committed === 2n);
    expect(attempts).toEqual([1, 2, 3]);
    expect(engine.deadLetters).toHaveLength(1);
    expect(engine.count('duplicate')).toBe(1);
  });

  it('is tried for as long as it fails where its filters say so', async () => {
    const partition = ordersWith('e1');
    let runs = 0;
    const handler = wholeTopicHandler(
      'all',
      () => {
        if (++runs < 20) throw new Error('not yet');
      },
      { filter: () => EventOutcome.keepTrying() },
    );
    const { kafka, deadLetters } = await startEngine([partition], [handler]);

    kafka.fetch(partition);

    await eventually(() => partition.committed === 1n);
    expect(runs).toBe(20);
    expect(deadLetters).toEqual([]);
  });

  it('has what it cannot read dead-lettered, byte for byte', async () => {
    const partition = ordersWith();
    partition.append({ key: Buffer.from('k'), value: Buffer.from([0, 1, 2, 255]) });
    const handler = wholeTopicHandler('all', () => undefined, {
      read: () => {
        throw new UndecodableRecordError('not Avro');
      },
    });
    const { kafka, deadLetters } = await startEngine([partition], [handler]);

    kafka.fetch(partition);

    await eventually(() => partition.committed === 1n);
    const [letter] = deadLetters;
    expect(letter?.record.value).toEqual(Buffer.from([0, 1, 2, 255]));
    const reason = letter?.record.headers.find(([name]) => name === DEAD_LETTER_HEADERS.reason);
    expect(String(reason?.[1])).toBe('undecodable');
  });
});

/** A store beyond a network, which answers claims when told to. */
class SlowStore implements IdempotencyStore {
  readonly name = 'slow';
  readonly inProcess = false;
  readonly memory = new MemoryIdempotencyStore();
  #waiting: (() => void)[] = [];

  answer(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
  async claim(requests: readonly ClaimRequest[]): Promise<readonly ClaimAnswer[]> {
    const answers = this.memory.claim(requests);
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return answers;
  }
  complete = (completions: readonly Completion[]) =>
    Promise.resolve(this.memory.complete(completions));
  release(releases: readonly Release[]): Promise<void> {
    this.memory.release(releases);
    return Promise.resolve();
  }
  renew = (renewals: readonly Renewal[]) => Promise.resolve(this.memory.renew(renewals));
}

/** Claims an event for the handler `all` as another process would that dies right afterwards. */
function heldElsewhere(
  store: MemoryIdempotencyStore,
  eventId: string,
  leaseMs: number,
): string | undefined {
  const key = ['group', 'all', 'order.created.v1', 'orders', '', '', eventId].join('\u0000');
  const request = { key, token: 'another process', leaseMs, level: 0, retentionMs: 60_000 };
  return store.claim([request])[0]?.status;
}
