import { partitionName } from '../kafka/records.js';
import { PartitionMoves } from './partition-moves.js';
import { describeStall } from './stall-reason.js';
import {
  nameOfTarget,
  type HandlerRef,
  type KafkaEventsObserver,
  type RecordRef,
} from './observer.js';

/** Where log lines go; Nest's `Logger` is one. */
export interface Log {
  error(message: string): void;
  warn(message: string): void;
  log(message: string): void;
  debug(message: string): void;
}

/** Repeated complaints of one kind are logged at most this often. */
const QUIET_MS = 10_000;

/**
 * The observer that writes the log: one line for what an operator must know, none on the way of a
 * record that goes well. Texts of errors pass the redactor; payloads are never logged.
 */
export function signalLog(
  log: Log,
  redact: (text: string) => string,
  now: () => number,
): KafkaEventsObserver {
  const why = (error: Error | null): string =>
    error === null ? '' : `: ${error.name}: ${redact(error.message)}`;
  const seldom = throttle(now);
  const moves = new PartitionMoves((line) => {
    log.log(line);
  });
  return {
    onPublishFailed: ({ error }) => {
      if (seldom(`publish ${error.name}`)) log.warn(redact(error.message));
    },
    onProducerRecycled: ({ topic, error }) => {
      log.warn(`producer of "${topic}" replaced after a failed send${why(error)}`);
    },
    onOutboxFailed: ({ topic, error }) => {
      const what = topic === null ? 'its store does not answer' : `"${topic}" takes nothing`;
      if (seldom(`outbox ${String(topic)}`)) log.error(`outbox: ${what}, tried again${why(error)}`);
    },
    onOutboxHeld: ({ topic, eventId, eventType, error }) => {
      log.error(
        `outbox: "${topic}" refuses ${eventType} (event ${eventId}), its key waits; mend what is wrong, or ` +
          `let it go with EventOutbox.discard${why(error)}`,
      );
    },
    onOutboxDiscarded: ({ eventId }) => {
      log.warn(`outbox: event ${eventId} is discarded by an operator, it will not be published`);
    },
    onOutboxLeads: ({ leading }) => {
      log.log(`outbox: this process ${leading ? 'publishes' : 'does not publish any more'}`);
    },
    onAttemptFailed: ({ attempt, delayMs, error, ...ref }) => {
      const next = delayMs === null ? 'giving up' : `next in ${String(delayMs)} ms`;
      log.warn(`${handler(ref)}: attempt ${String(attempt)} failed, ${next}${why(error)}`);
    },
    onOutageBegan: ({ groupId, handlerId, error }) => {
      log.error(
        `${groupId}: ${handlerId} is held, most of its records fail; one at a time tries${why(error)}`,
      );
    },
    onOutageEnded: ({ groupId, handlerId, heldMs }) => {
      log.log(`${groupId}: ${handlerId} goes on, it was held for ${String(heldMs)} ms`);
    },
    onPaused: ({ target }) => {
      log.warn(`${nameOfTarget(target)} is paused by an operator`);
    },
    onResumed: ({ target, heldMs }) => {
      log.warn(`${nameOfTarget(target)} is resumed, it was paused for ${String(heldMs)} ms`);
    },
    onConcurrencyChanged: ({ handlerId, concurrency }) => {
      log.warn(`${handlerId} takes up to ${String(concurrency)} records at once from now on`);
    },
    onConcurrencyAdapted: ({ groupId, handlerId, concurrency }) => {
      if (seldom(`adapted ${groupId} ${handlerId}`)) {
        log.debug(`${groupId}: ${handlerId} takes ${String(concurrency)} records at once for now`);
      }
    },
    onCrashSuspected: ({ crashes, crashesAlone, ...ref }) => {
      log.warn(`${handler(ref)}: suspect, ${deaths(crashes, crashesAlone)}`);
    },
    onRunsAlone: ({ crashes, crashesAlone, ...ref }) => {
      log.error(
        `${handler(ref)}: runs alone, all else waits, ${deaths(crashes, crashesAlone)}; ` +
          'if this is the last line before the process died, this record kills it',
      );
    },
    onHandlerTimedOut: ({ timeoutMs, ...ref }) => {
      log.warn(`${handler(ref)}: still running after ${String(timeoutMs)} ms, signal aborted`);
    },
    onSlotLeaked: (ref) => {
      log.error(`${handler(ref)}: never came back, its slot is lost until it does`);
    },
    onParked: ({ retryTopic, level, dueAt, ...ref }) => {
      const until = new Date(dueAt).toISOString();
      log.log(`${handler(ref)}: parked in "${retryTopic}" until ${until}, level ${String(level)}`);
    },
    onParkFailed: ({ retryTopic, error, ...ref }) => {
      if (seldom(`retry ${retryTopic}`)) {
        log.error(`${handler(ref)}: "${retryTopic}" did not take it, offset held${why(error)}`);
      }
    },
    onDeadLettered: ({ reason, deadLetterTopic, handlerId, error, ...ref }) => {
      const by = handlerId === null ? '' : ` by ${handlerId}`;
      log.warn(`${place(ref)}: dead-lettered to "${deadLetterTopic}"${by}, ${reason}${why(error)}`);
    },
    onKeyHeld: ({ key, ...ref }) => {
      log.error(
        `${handler(ref)}: dead-lettered, and key ${JSON.stringify(key)} waits for it; replay the dead ` +
          'letter, or let the key go with ConsumerControl.releaseKey',
      );
    },
    onKeyReleased: ({ key, by, heldMs, ...ref }) => {
      const how = by === 'operator' ? 'released by an operator' : 'its dead letter was replayed';
      log.warn(
        `${handler(ref)}: key ${JSON.stringify(key)} goes on after ${String(heldMs)} ms, ${how}`,
      );
    },
    onViewBuilding: ({ view, version, generation }) => {
      log.log(`view "${view}" v${String(version)}: generation ${generation} is being built`);
    },
    onViewLive: ({ view, version, generation }) => {
      log.log(`view "${view}" v${String(version)}: generation ${generation} is read from now on`);
    },
    onViewFailed: ({ view, error }) => {
      if (seldom(`view ${view}`)) log.error(`view "${view}" is not kept up to date${why(error)}`);
    },
    onViewRecordsGone: ({ view, start, ...partition }) => {
      log.warn(
        `view "${view}" is made without what ${partitionName(partition)} held before offset ` +
          `${String(start)}: retention has removed it`,
      );
    },
    onDeadLetterFailed: ({ deadLetterTopic, error, ...ref }) => {
      if (seldom(`dlq ${deadLetterTopic}`)) {
        log.error(`${place(ref)}: "${deadLetterTopic}" did not take it, offset held${why(error)}`);
      }
    },
    onUndeliverable: ({ error, ...ref }) => {
      if (seldom(`undeliverable ${place(ref)}`)) log.error(`${place(ref)}: held${why(error)}`);
    },
    onFilterFailed: ({ error, ...ref }) => {
      log.error(`${handler(ref)}: an exception filter failed${why(error)}`);
    },
    onClassifyFailed: ({ error, ...ref }) => {
      log.error(`${handler(ref)}: retry.classify or a schedule's when failed${why(error)}`);
    },
    onClaimLost: (ref) => {
      log.warn(`${handler(ref)}: finished after its claim had gone to somebody else`);
    },
    onStoreFailed: ({ groupId, operation, error }) => {
      if (seldom(`store ${groupId} ${operation}`)) {
        log.error(`${groupId}: idempotency store, ${operation}${why(error)}`);
      }
    },
    onStoreEvicted: ({ evicted }) => {
      if (seldom('evicted')) {
        log.warn(
          `idempotency store is full: forgot ${String(evicted)} mark(s) before their window ended`,
        );
      }
    },
    onDirectFailed: ({ error, ...ref }) => {
      log.warn(`${handler(ref)}: failed on a direct delivery, left to Kafka${why(error)}`);
    },
    onDirectRefused: ({ topic, reason, error }) => {
      if (seldom(`direct ${reason}`)) log.warn(`"${topic}"${why(error)}`);
    },
    onStalled: ({ lane, handlers, waitsFor, waitingMs, ...ref }) => {
      const key = lane === null ? '' : ` (key ${JSON.stringify(lane)})`;
      log.error(
        `${place(ref)}${key} has not moved for ${String(waitingMs)} ms, ${describeStall(waitsFor, handlers)}`,
      );
    },
    onStallEnded: ({ stalledMs, ...ref }) => {
      log.log(`${place(ref)} goes on, it stood still for ${String(stalledMs)} ms`);
    },
    onEngineFault: ({ error, ...ref }) => {
      log.error(`${place(ref)}: defect of nestjs-kafka-events, record held${why(error)}`);
    },
    onCommitFailed: ({ groupId, error }) => {
      log.warn(`${groupId}: commit failed, will be repeated${why(error)}`);
    },
    onOffsetOutOfRange: ({ groupId, ...partition }) => {
      log.error(
        `${groupId}: the committed offset of ${partitionName(partition)} is not in the log any more, ` +
          'the partition is held. Stop the group, choose where it goes on with ' +
          'kafka-consumer-groups.sh --reset-offsets, and start it again',
      );
    },
    onFetchFailed: ({ groupId, error, ...partition }) => {
      const name = partitionName(partition);
      if (seldom(`fetch ${groupId} ${name}`)) {
        log.error(`${groupId}: ${name} cannot be read, is asked for again${why(error)}`);
      }
    },
    onTopicUnavailable: ({ groupId, topic, error }) => {
      log.error(`${groupId}: "${topic}" cannot be consumed, is looked for again${why(error)}`);
    },
    onTopicAvailable: ({ groupId, topic }) => {
      log.log(`${groupId}: "${topic}" is there again`);
    },
    onPartitionLost: (lost) => {
      moves.add({ ...lost, verb: 'let go of' });
    },
    onPartitionAssigned: (gained) => {
      moves.add({ ...gained, verb: 'gained', abandoned: 0 });
    },
    onDrainTimedOut: ({ groupId, running }) => {
      log.warn(`${groupId}: ${String(running)} handler(s) still running when the drain ended`);
    },
    onConsumerState: ({ groupId, state, error }) => {
      const line = `${groupId}: consumer ${state}${why(error)}`;
      if (error === null) log.debug(line);
      else log.error(line);
    },
    onBreakerOpened: ({ service, error, openMs }) => {
      log.error(`service "${service}" is not called for ${String(openMs)} ms${why(error)}`);
    },
    onBreakerHalfOpened: ({ service }) => {
      log.log(`service "${service}" is tried again`);
    },
    onBreakerClosed: ({ service, openForMs }) => {
      log.log(`service "${service}" is well again, after ${String(openForMs)} ms`);
    },
    onSyncFallbackFailed: ({ service, method, error }) => {
      if (seldom(`fallback ${service} ${method}`)) {
        log.error(`a fallback of ${service}.${method} failed${why(error)}`);
      }
    },
    onFeedFailed: ({ feed, error, retryInMs }) => {
      if (seldom(`feed ${feed}`)) {
        log.error(`feed "${feed}" failed, again in ${String(retryInMs)} ms${why(error)}`);
      }
    },
    onFeedSkipped: ({ feed, error }) => {
      log.error(`feed "${feed}": a change was left out${why(error)}`);
    },
    onUnsharedStore: ({ groupId, members }) => {
      if (!seldom(`unshared ${groupId}`)) return;
      log.warn(
        `${groupId}: ${String(members)} members, but idempotency marks live in this process alone: ` +
          'what another member handled before a rebalance can run again here',
      );
    },
  };
}

function place({ groupId, offset, ...partition }: RecordRef): string {
  return `${groupId} ${partitionName(partition)}@${offset.toString()}`;
}

function handler({ handlerId, eventId, ...ref }: HandlerRef): string {
  return `${handlerId} on ${place(ref)} (event ${eventId})`;
}

function deaths(crashes: number, alone: number): string {
  return `a process died under it ${String(crashes)} time(s), ${String(alone)} of them alone`;
}

/** True the first time a topic comes up, then once per `QUIET_MS`. */
function throttle(now: () => number): (topic: string) => boolean {
  const last = new Map<string, number>();
  return (topic) => {
    const at = now();
    if (at - (last.get(topic) ?? -Infinity) < QUIET_MS) return false;
    if (last.size > 1_000) last.clear();
    last.set(topic, at);
    return true;
  };
}
