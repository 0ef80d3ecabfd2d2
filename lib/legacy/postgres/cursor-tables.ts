import type { Tables } from '../../postgres/tables.js';

/** The table of cursors: a row for each feed. */
export const CURSORS: Tables = { part: 'cursors', versions: [version1] };

function version1(schema: string): string {
  return `
CREATE TABLE ${schema}.feed_cursors (
  feed text PRIMARY KEY,
  cursor text NOT NULL,
  noted_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);`;
}
