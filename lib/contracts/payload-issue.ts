import type { PayloadIssue } from '../kafka-events.errors.js';

/**
 * One thing wrong inside a payload, told without the payload's data.
 *
 * Validators may put the offending value into their messages; where it stands there as a word of
 * its own it is taken out again, so that logs and dead letters do not carry it.
 *
 * @param root the payload that `path` leads into.
 */
export function issueAt(
  root: unknown,
  path: readonly PropertyKey[],
  message: string,
): PayloadIssue {
  return { path: path.map(String).join('.'), message: withoutValue(message, valueAt(root, path)) };
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Readonly<Record<PropertyKey, unknown>>)[key];
  }
  return value;
}

function withoutValue(message: string, value: unknown): string {
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'bigint') {
    return message;
  }
  const text = String(value);
  if (text === '' || !message.includes(text)) return message;
  const literal = text.replace(/[.*+?^${}()|[\]\\/]/g, String.raw`\$&`);
  return message.replace(
    new RegExp(String.raw`(?<![\p{L}\p{N}_])${literal}(?![\p{L}\p{N}_])`, 'gu'),
    '…',
  );
}
