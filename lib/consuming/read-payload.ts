import type { EventContract, Validated } from '../contracts/event-contract.js';
import { decodeJson } from '../contracts/json-codec.js';
import { isPromise, type MaybePromise } from '../contracts/maybe-promise.js';
import { describeIssues, KafkaEventsError, type PayloadIssue } from '../kafka-events.errors.js';
import type { InRecord } from '../kafka/records.js';

/** Thrown for a payload that is readable but not what its contract asks for. */
export class InvalidPayloadError extends KafkaEventsError {
  constructor(
    eventType: string,
    readonly issues: readonly PayloadIssue[],
  ) {
    super('INVALID_EVENT', `not a valid ${eventType}: ${describeIssues(issues)}`);
  }
}

/**
 * A record's payload, decoded and validated; a fresh one at each call, so that no attempt sees what
 * another one did to it. Null for a record without a value.
 *
 * @throws UndecodableRecordError for bytes that are not JSON.
 * @throws InvalidPayloadError for a payload that breaks its contract.
 */
export function readPayload(contract: EventContract, record: InRecord): MaybePromise<unknown> {
  if (record.value === null) return null;
  const validated = contract.validate(decodeJson(record.value));
  return isPromise(validated)
    ? validated.then((result) => accept(contract, result))
    : accept(contract, validated);
}

function accept(contract: EventContract, result: Validated<unknown>): unknown {
  if (result.valid) return result.payload;
  throw new InvalidPayloadError(contract.eventType, result.issues);
}
