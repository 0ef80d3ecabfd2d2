import { InvalidDefinitionError } from '../kafka-events.errors.js';
import { ClassValidation } from './class-validation.js';
import type { EventContract } from './event-contract.js';
import { checkDefinition, eventTypeOf, type EventDefinition } from './event-definition.js';
import { keyProblems, keyReader, type KeySource, type KeyValue } from './event-key.js';
import { CONTRACT, type EventClass } from './event-source.js';

/** An event whose payload is described by the class it decorates. */
export interface DomainEventDefinition<Key> extends EventDefinition {
  /** The aggregate id: a property of the class, or a function of its instance. */
  readonly key: Key;
}

/**
 * Declares a class as an event. Its class-validator and class-transformer decorators are the
 * contract; properties it does not know are kept, so that producers may add some.
 *
 * A subclass is not an event unless it is decorated too.
 *
 * @throws InvalidDefinitionError naming every problem at once.
 * @example
 * @DomainEvent({ type: 'order.created', version: 1, topic: 'orders', key: 'orderId' })
 * export class OrderCreated {
 *   @IsUUID() orderId!: string;
 *   @IsInt() @Min(0) totalCents!: number;
 * }
 */
export function DomainEvent<const K extends string>(
  definition: DomainEventDefinition<K>,
): (target: EventClass<Readonly<Record<K, KeyValue>>>) => void;
export function DomainEvent<T extends object>(
  definition: DomainEventDefinition<(event: T) => KeyValue>,
): (target: EventClass<T>) => void;
export function DomainEvent<T extends object>(
  definition: DomainEventDefinition<KeySource<T>>,
): (target: EventClass<T>) => void {
  return (target) => {
    checkDefinition(`class ${target.name}`, definition, keyProblems(definition.key));
    if (Object.hasOwn(target, CONTRACT)) {
      throw new InvalidDefinitionError(`class ${target.name} is decorated with @DomainEvent twice`);
    }
    Object.defineProperty(target, CONTRACT, { value: classContract(target, definition) });
  };
}

function classContract<T extends object>(
  target: EventClass<T>,
  definition: DomainEventDefinition<KeySource<T>>,
): EventContract<T> {
  const { type, version, topic, match, key } = definition;
  const validation = new ClassValidation(target);
  return Object.freeze({
    name: target.name,
    type,
    version,
    eventType: eventTypeOf(definition),
    topic,
    keyOf: keyReader(key),
    validate: (value: unknown) => validation.validate(value),
    prepare: () => validation.prepare(),
    ...(match && { match }),
  });
}
