import { Ctx, Payload } from '@nestjs/microservices';
import { z } from 'zod';

import type { EventBatch } from '../../lib/consuming/batch/event-batch.js';
import type { EventContext } from '../../lib/consuming/event-context.js';
import { EventBatchHandler } from '../../lib/consuming/event-batch-handler.decorator.js';
import { defineEvent } from '../../lib/contracts/define-event.js';
import { DomainEvent } from '../../lib/contracts/domain-event.decorator.js';
import type { EventPayload } from '../../lib/contracts/event-source.js';

@DomainEvent({ type: 'reading', version: 1, topic: 'telemetry', key: 'deviceId' })
class Reading {
  deviceId!: string;
  celsius!: number;
}

const Heartbeat = defineEvent({
  type: 'heartbeat',
  version: 1,
  topic: 'telemetry',
  key: 'deviceId',
  schema: z.object({ deviceId: z.string(), at: z.string().transform((text) => new Date(text)) }),
});
type Heartbeat = EventPayload<typeof Heartbeat>;

export class Legal {
  @EventBatchHandler(Reading)
  whole(batch: EventBatch<Reading>): number {
    return batch.payloads.reduce((sum, { celsius }) => sum + celsius, 0);
  }

  @EventBatchHandler(Reading, { maxSize: 10, maxWaitMs: 5, concurrency: 2 })
  async decorated(
    @Payload() batch: EventBatch<Reading>,
    @Ctx() context: EventBatch<Reading>,
  ): Promise<void> {
    for (const { index, payload, attempt } of batch) {
      if (attempt > 1) await context.item(index).publish(Reading, payload);
    }
  }

  @EventBatchHandler(Heartbeat)
  schema(batch: EventBatch<Heartbeat>): unknown {
    return batch.item(0).payload.at.getTime();
  }

  @EventBatchHandler([Reading, Heartbeat])
  several(batch: EventBatch<Reading | Heartbeat>): unknown {
    return batch.payloads.map(({ deviceId }) => deviceId);
  }

  @EventBatchHandler(Reading, { tombstones: true })
  tombstones(batch: EventBatch<Reading | null>): unknown {
    return batch.length;
  }

  @EventBatchHandler(Reading)
  untyped(batch: EventBatch): unknown {
    return batch.length;
  }

  @EventBatchHandler(Reading)
  nothing(): void {
    // That something came is enough for some.
  }
}

export class Illegal {
  // @ts-expect-error it is given a batch, not one reading
  @EventBatchHandler(Reading)
  single(reading: Reading): unknown {
    return reading;
  }

  // @ts-expect-error its batches hold heartbeats, too
  @EventBatchHandler([Reading, Heartbeat])
  half(batch: EventBatch<Reading>): unknown {
    return batch;
  }

  // @ts-expect-error its payloads may be null
  @EventBatchHandler(Reading, { tombstones: true })
  withoutTombstones(batch: EventBatch<Reading>): unknown {
    return batch;
  }

  // @ts-expect-error there is no context of one event
  @EventBatchHandler(Reading)
  context(@Ctx() event: EventContext): unknown {
    return event;
  }

  // @ts-expect-error batches keep the order of each key
  @EventBatchHandler(Reading, { ordering: 'none' })
  unordered(batch: EventBatch<Reading>): unknown {
    return batch;
  }

  @EventBatchHandler(Reading)
  givenUp(batch: EventBatch<Reading>): unknown {
    // @ts-expect-error throwing it would give up the whole batch
    return [batch.item(0).deadLetter];
  }
}
