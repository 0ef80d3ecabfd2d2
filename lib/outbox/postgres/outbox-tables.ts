import type { Tables } from '../../postgres/tables.js';

/**
 * The table of the outbox, and the row that says which relay publishes.
 *
 * `id` is the order of the inserts, which is that of the commits only for transactions that wait for each
 * other. Keys are compared by their hash: what an index takes is limited.
 */
export const OUTBOX: Tables = { part: 'outbox', versions: [version1] };

function version1(schema: string): string {
  return `
CREATE TABLE ${schema}.outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  event_id text NOT NULL,
  event_type text NOT NULL,
  topic text NOT NULL,
  key bytea NOT NULL,
  value bytea NOT NULL,
  -- A JSON list of names with their values in base64.
  headers text NOT NULL,
  added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  -- Of a record that the broker refuses: how often, why, and until when it holds its key.
  attempts integer NOT NULL DEFAULT 0,
  error text,
  retry_at timestamptz
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
CREATE INDEX outbox_key ON ${schema}.outbox (topic, sha256(key));
CREATE INDEX outbox_held ON ${schema}.outbox (topic, sha256(key)) WHERE retry_at IS NOT NULL;

CREATE TABLE ${schema}.outbox_relay (
  id integer PRIMARY KEY CHECK (id = 1),
  owner text NOT NULL,
  lease_until timestamptz NOT NULL
) WITH (fillfactor = 50);
`;
}
