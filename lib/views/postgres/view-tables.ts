import type { Tables } from '../../postgres/tables.js';

/**
 * The tables of views: generations, how far each is in each partition, and their rows.
 *
 * Rows point at no generation by a foreign key, whose check every row would pay; whoever removes a generation
 * sees to it that none are left. Keys are compared by their bytes, whatever the database's collation.
 */
export const VIEWS: Tables = { part: 'views', versions: [version1] };

function version1(schema: string): string {
  return `
CREATE TABLE ${schema}.view_generations (
  id text PRIMARY KEY,
  view text NOT NULL,
  version integer NOT NULL,
  state text NOT NULL CHECK (state IN ('building', 'live', 'retired')),
  frozen_until timestamptz NOT NULL DEFAULT '-infinity',
  used_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX view_generations_one_of_each ON ${schema}.view_generations (view, version, state)
  WHERE state <> 'retired';

CREATE TABLE ${schema}.view_positions (
  generation text NOT NULL REFERENCES ${schema}.view_generations ON DELETE CASCADE,
  topic text NOT NULL,
  partition integer NOT NULL,
  next_offset bigint NOT NULL,
  PRIMARY KEY (generation, topic, partition)
) WITH (fillfactor = 50);

CREATE TABLE ${schema}.view_rows (
  generation text NOT NULL,
  key text COLLATE "C" NOT NULL,
  value jsonb NOT NULL,
  version bigint NOT NULL,
  recent text COLLATE "C" NOT NULL,
  PRIMARY KEY (generation, key)
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);`;
}
