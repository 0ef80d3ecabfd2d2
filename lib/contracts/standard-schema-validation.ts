import type { Validated } from './event-contract.js';
import { isPromise, type MaybePromise } from './maybe-promise.js';
import { issueAt } from './payload-issue.js';
import type {
  StandardSchema,
  StandardSchemaIssue,
  StandardSchemaResult,
} from './standard-schema.js';

/**
 * Validates by a Standard Schema: at once where the schema does, else by promise.
 *
 * What the schema throws is thrown on: it is the schema's fault, not the payload's.
 */
export function schemaValidator<Output>(
  schema: StandardSchema<unknown, Output>,
): (value: unknown) => MaybePromise<Validated<Output>> {
  const standard = schema['~standard'];
  return (value) => {
    const result = standard.validate(value);
    return isPromise(result)
      ? result.then((settled) => validatedFrom(settled, value))
      : validatedFrom(result, value);
  };
}

/** What is wrong with a value given as a schema. */
export function schemaProblems(schema: unknown): string[] {
  const standard = (schema as Partial<StandardSchema> | null | undefined)?.['~standard'];
  return typeof standard?.validate === 'function'
    ? []
    : [
        'schema: must be a Standard Schema (a "~standard" property with a validate function), ' +
          'as those of zod, valibot and arktype are',
      ];
}

function validatedFrom<Output>(
  result: StandardSchemaResult<Output>,
  value: unknown,
): Validated<Output> {
  if (!result.issues) return { valid: true, payload: result.value };
  return {
    valid: false,
    issues: result.issues.map((issue) => issueAt(value, pathOf(issue), issue.message)),
  };
}

function pathOf({ path = [] }: StandardSchemaIssue): PropertyKey[] {
  return path.map((segment) => (typeof segment === 'object' ? segment.key : segment));
}
