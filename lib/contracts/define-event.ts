import { checkDefinition, eventTypeOf, type EventDefinition } from './event-definition.js';
import { keyProblems, keyReader, type KeyProperty, type KeyValue } from './event-key.js';
import { CONTRACT, type DefinedEvent } from './event-source.js';
import { schemaProblems, schemaValidator } from './standard-schema-validation.js';
import type { SchemaInput, SchemaOutput, StandardSchema } from './standard-schema.js';

/** An event whose payload is described by a schema instead of a class. */
export interface SchemaEventDefinition<S extends StandardSchema> extends EventDefinition {
  /** Any Standard Schema: zod, valibot, arktype, … */
  readonly schema: S;
  /** The aggregate id: a property of the schema's output, or a function of it. */
  readonly key: KeyProperty<SchemaOutput<S>> | ((payload: SchemaOutput<S>) => KeyValue);
}

/**
 * Declares an event by a schema.
 *
 * Callers publish the schema's input, the wire carries that input as JSON, and handlers are given
 * the schema's output, so a schema must accept what its own input looks like after JSON.
 *
 * @throws InvalidDefinitionError naming every problem at once.
 * @example
 * export const OrderShipped = defineEvent({
 *   type: 'order.shipped',
 *   version: 1,
 *   topic: 'orders',
 *   key: 'orderId',
 *   schema: z.object({ orderId: z.uuid(), carrier: z.string() }),
 * });
 */
export function defineEvent<S extends StandardSchema>(
  definition: SchemaEventDefinition<S>,
): DefinedEvent<SchemaInput<S>, SchemaOutput<S>> {
  const { type, version, topic, match, key, schema } = definition;
  const eventType = eventTypeOf(definition);
  checkDefinition(`the event ${eventType}`, definition, [
    ...keyProblems(key),
    ...schemaProblems(schema),
  ]);
  return Object.freeze({
    type,
    version,
    topic,
    [CONTRACT]: Object.freeze({
      name: eventType,
      type,
      version,
      eventType,
      topic,
      keyOf: keyReader<SchemaOutput<S>>(key),
      validate: schemaValidator(schema),
      ...(match && { match }),
    }),
  });
}
