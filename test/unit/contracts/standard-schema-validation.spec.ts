import { describe, expect, it } from '@jest/globals';
import { z } from 'zod';

import { schemaValidator } from '../../../lib/contracts/standard-schema-validation.js';
import type {
  StandardSchema,
  StandardSchemaResult,
} from '../../../lib/contracts/standard-schema.js';

function schemaOf(
  validate: (
    value: unknown,
  ) => StandardSchemaResult<string> | Promise<StandardSchemaResult<string>>,
): StandardSchema<unknown, string> {
  return { '~standard': { version: 1, vendor: 'test', validate } };
}

describe('schemaValidator', () => {
  it('answers at once where the schema does', () => {
    expect(schemaValidator(z.object({ n: z.coerce.number() }))({ n: '1', more: 2 })).toEqual({
      valid: true,
      payload: { n: 1 },
    });
  });

  it('waits where the schema does', async () => {
    const validate = schemaValidator(z.string().refine(async (text) => text === 'good'));
    await expect(validate('good')).resolves.toEqual({ valid: true, payload: 'good' });
    await expect(validate('bad')).resolves.toMatchObject({ valid: false });
  });

  it('flattens paths, of keys and of segments', () => {
    const validate = schemaValidator(
      schemaOf(() => ({
        issues: [
          { message: 'one', path: ['lines', 0, { key: 'sku' }] },
          { message: 'two', path: [Symbol('tag')] },
          { message: 'three' },
        ],
      })),
    );
    expect(validate({})).toEqual({
      valid: false,
      issues: [
        { path: 'lines.0.sku', message: 'one' },
        { path: 'Symbol(tag)', message: 'two' },
        { path: '', message: 'three' },
      ],
    });
  });

  it('keeps values out of messages', () => {
    const validate = schemaValidator(
      schemaOf(() => ({ issues: [{ message: 'must be a number (was "4111")', path: ['card'] }] })),
    );
    expect(validate({ card: '4111' })).toEqual({
      valid: false,
      issues: [{ path: 'card', message: 'must be a number (was "…")' }],
    });
  });

  it('leaves the value as it is', () => {
    const value = Object.freeze({ n: '1', tags: Object.freeze(['a']) });
    void schemaValidator(z.object({ n: z.coerce.number(), tags: z.array(z.string()) }))(value);
    expect(value).toEqual({ n: '1', tags: ['a'] });
  });

  it("throws the schema's own failures on, for they are nobody's data", async () => {
    const failing = schemaValidator(
      schemaOf(() => {
        throw new Error('a bug');
      }),
    );
    expect(() => failing('x')).toThrow('a bug');
    const rejecting = schemaValidator(schemaOf(() => Promise.reject(new Error('a bug'))));
    await expect(rejecting('x')).rejects.toThrow('a bug');
  });
});
