import { InvalidOptionsError, type OptionProblem } from '../../kafka-events.errors.js';
import type { KafkaEventsSettings } from '../../kafka-events.options.js';
import type { BoundHandler } from '../event-handler.js';
import type { PlacedHandler } from '../handler-rules.js';

/** Handlers that cannot take what does not come from Kafka; for people. */
export function directHandlerProblems(handlers: readonly PlacedHandler[]): string[] {
  return handlers.flatMap(({ place, settings, wholeTopic }) =>
    settings.acceptsDirect && wholeTopic !== undefined
      ? [`${place}: acceptsDirect is for @EventHandler: a direct event has no record to hand over`]
      : [],
  );
}

/**
 * Checks what direct delivery needs of the whole application.
 *
 * @throws InvalidOptionsError where a handler accepts it without a shared store, or nobody could use it.
 */
export function checkDirectDelivery(
  handlers: readonly BoundHandler[],
  { idempotency, directDelivery }: Pick<KafkaEventsSettings, 'idempotency' | 'directDelivery'>,
): void {
  const accepting = handlers.filter(({ settings }) => settings.acceptsDirect);
  const problems: OptionProblem[] = [];
  if (accepting.length > 0 && idempotency.store.inProcess) {
    const ids = accepting.map(({ settings }) => settings.id).join(', ');
    problems.push({
      option: 'idempotency.store',
      problem:
        `is one of this process alone ("${idempotency.store.name}"), and ${ids} accept(s) direct delivery: the ` +
        'copy from Kafka may come to another instance. Choose a shared store',
    });
  }
  if (accepting.length === 0 && directDelivery !== null) {
    problems.push({
      option: 'directDelivery',
      problem:
        'would listen for events that no handler accepts; set acceptsDirect on one, or leave it out',
    });
  }
  if (problems.length > 0) throw new InvalidOptionsError(problems);
}
