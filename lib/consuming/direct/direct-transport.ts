import type { DirectDeliveryError } from '../../kafka-events.errors.js';
import type { DirectRecord } from './direct-record.js';
import type { DirectReceipt } from './direct-reply.js';

/** How long a caller waits. */
export interface DirectLimits {
  /** Milliseconds since the Unix epoch. Default: as late as the module's `directDelivery` allows. */
  readonly deadlineAt?: number;
  /** Aborted when the caller does not wait any more. */
  readonly signal?: AbortSignal;
}

/** What takes events that do not come from Kafka. */
export interface DirectReceiver {
  /**
   * Hands an event to the handlers of this process that have opted in, through the steps and under the
   * claims of a record from Kafka; answers when all of them are done.
   *
   * @throws DirectDeliveryError for everything else: its `reason` says what.
   */
  deliver(record: DirectRecord, limits?: DirectLimits): Promise<DirectReceipt>;
  /** Tells observers of a call that did not get as far as `deliver`. */
  refused(topic: string, error: DirectDeliveryError): void;
}

/** Where events are delivered to directly: another process, or a service of several. */
export interface DirectTarget {
  /** For people: the protocol, and where it is. No secrets. */
  readonly name: string;
  /**
   * Resolves when the handlers there that have opted in are done.
   *
   * @throws DirectDeliveryError for everything else, `unreachable` where there was no answer.
   */
  deliver(record: DirectRecord, limits?: DirectLimits): Promise<DirectReceipt>;
  /** Called once, after the last delivery. */
  close(): void;
}

/**
 * How others reach this process with events, past Kafka: see `eventDelivery` of `nestjs-kafka-events/grpc`.
 *
 * It owes the engine that nobody delivers whom the application does not trust: an event from here is
 * believed as one from the broker is.
 */
export interface DirectTransport {
  /** For messages, for example `grpc`. */
  readonly name: string;
  /**
   * Listens, and hands what comes to the receiver, from now until `close`. Called once, at boot.
   *
   * A rejection fails the boot.
   */
  listen(receiver: DirectReceiver): Promise<void>;
  /** Takes no more calls; resolves when those under way are answered. May come without `listen`. */
  close(): Promise<void>;
}
