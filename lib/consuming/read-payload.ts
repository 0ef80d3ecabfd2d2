import type { EventContract, Validated } from '../contracts/event-contract.js';
import { decodeJson } from '../contracts/json-codec.js';
import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import { InvalidPayloadError } from '../kafka-events.errors.js';
import type { InRecord } from '../kafka/records.js';

/**
 * A record's payload, decoded and validated; a fresh one at each call, so that no attempt sees what
 * another one did to it. Null for a record without a value.
 *
 * @throws UndecodableRecordError for bytes that are not JSON.
 * @throws InvalidPayloadError for a payload that breaks its contract.
 */
export function readPayload(
  contract: EventContract,
  record: Pick<InRecord, 'value'>,
): MaybePromise<unknown> {
  if (record.value === null) return null;
  const validated = contract.validate(decodeJson(record.value));
  return isPromise(validated) ? validated.then(accept) : accept(validated);
}

function accept(result: Validated<unknown>): unknown {
  if (result.valid) return result.payload;
  throw new InvalidPayloadError(result.issues);
}
