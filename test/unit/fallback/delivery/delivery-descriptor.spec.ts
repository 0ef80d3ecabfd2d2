import { resolve } from 'node:path';
import { fromJSON, loadSync, type PackageDefinition } from '@grpc/proto-loader';
import { describe, expect, it } from '@jest/globals';

import { DELIVERY_DESCRIPTOR } from '../../../../lib/fallback/delivery/delivery-descriptor.js';

const PROTO = resolve(
  import.meta.dirname,
  '../../../../proto/kafka_events/v1/event_delivery.proto',
);

/** What two contracts must agree in for their messages to be read by each other. */
function shapeOf(contract: PackageDefinition): unknown {
  const message = {
    topic: 't',
    key: Buffer.from('k'),
    value: Buffer.alloc(0),
    headers: [{ name: 'a', value: Buffer.from('b') }, { name: 'c' }],
    timestampMs: 5,
  };
  const reply = { handlers: [{ groupId: 'g', handlerId: 'h', outcome: 'handled' }] };
  const service = contract['kafka_events.v1.EventDelivery'] as unknown as Record<
    string,
    {
      readonly path: string;
      readonly requestSerialize: (message: object) => Buffer;
      readonly responseSerialize: (message: object) => Buffer;
    }
  >;
  return {
    types: Object.keys(contract).sort(),
    methods: Object.values(service).map(({ path, requestSerialize, responseSerialize }) => [
      path,
      requestSerialize(message).toString('hex'),
      responseSerialize(reply).toString('hex'),
    ]),
  };
}

describe('the contract of direct delivery', () => {
  it('is in the package as a file what it is in the code', () => {
    expect(shapeOf(fromJSON(DELIVERY_DESCRIPTOR))).toEqual(shapeOf(loadSync(PROTO)));
  });
});
