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
  topic text COLLATE "C" NOT NULL,
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
CREATE INDEX outbox_topic ON ${schema}.outbox (topic, id);
CREATE INDEX outbox_key ON ${schema}.outbox (topic, sha256(key));
CREATE INDEX outbox_held ON ${schema}.outbox (topic, sha256(key)) WHERE retry_at IS NOT NULL;

CREATE TABLE ${schema}.outbox_relay (
  id integer PRIMARY KEY CHECK (id = 1),
  owner text NOT NULL,
  lease_until timestamptz NOT NULL
) WITH (fillfactor = 50);

-- What may be published, the oldest first, for whoever has the lease: of one moment, since a hold that ran out between
-- two of a key would let the later one go first. By topic, so that rows of those that take nothing are not even read.
-- The table is empty at one time and has millions of rows a minute later: plans must not go by what is known of it.
CREATE FUNCTION ${schema}.outbox_due(relay text, at_most integer, closed text[])
RETURNS SETOF bigint LANGUAGE plpgsql STABLE
SET jit = off SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
  at timestamptz := clock_timestamp();
  of_topic text := '';
  due bigint[] := '{}';
BEGIN
  PERFORM FROM ${schema}.outbox_relay r WHERE r.owner = relay AND r.lease_until > at;
  IF NOT FOUND THEN RETURN; END IF;
  LOOP
    SELECT o.topic INTO of_topic FROM ${schema}.outbox o WHERE o.topic > of_topic ORDER BY o.topic LIMIT 1;
    EXIT WHEN NOT FOUND;
    CONTINUE WHEN of_topic = ANY (closed);
    due := due || ARRAY(
      SELECT o.id FROM ${schema}.outbox o
      -- A range: '=' would leave Postgres free to go by id alone, through all topics.
      WHERE o.topic BETWEEN of_topic AND of_topic AND NOT EXISTS (
        SELECT FROM ${schema}.outbox held
        WHERE held.topic = o.topic AND sha256(held.key) = sha256(o.key)
          AND held.retry_at > at AND held.id <= o.id
        OFFSET 0)
      ORDER BY o.topic, o.id LIMIT at_most);
  END LOOP;
  RETURN QUERY SELECT d FROM unnest(due) d ORDER BY d LIMIT at_most;
END $$;
`;
}
