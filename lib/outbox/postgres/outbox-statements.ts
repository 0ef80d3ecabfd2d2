/** What one look brings at most, beside its number of records: it is in memory at once. */
const MAX_BYTES = 8 * 1024 * 1024;

/** Counting stops there: an outbox that has grown is not to be read through every few seconds. */
const MAX_COUNTED = 10_000;

const FIRST_HOLD_S = 30;
const LONGEST_HOLD_S = 600;

/** Longer than a statement takes to commit; it fails before. */
const DISCARD_S = 5;

/** The statements of the outbox, each a whole call. */
export function outboxStatements(schema: string, channel: string | null) {
  const notified = channel === null ? `SELECT 1` : `SELECT pg_notify('${channel}', '')`;
  return {
    /** One JSON text, which every library passes on as it is. */
    add: `
      WITH added AS (
        INSERT INTO ${schema}.outbox (event_id, event_type, topic, key, value, headers)
        SELECT r ->> 'eventId', r ->> 'eventType', r ->> 'topic', decode(r ->> 'key', 'base64'),
          decode(r ->> 'value', 'base64'), r ->> 'headers'
        FROM jsonb_array_elements($1::jsonb) WITH ORDINALITY AS given (r, place) ORDER BY place
        RETURNING id
      )
      ${notified} FROM added LIMIT 1`,
    lead: `
      INSERT INTO ${schema}.outbox_relay AS r (id, owner, lease_until)
      VALUES (1, $1, clock_timestamp() + $2 * interval '1 ms')
      ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, lease_until = excluded.lease_until
      WHERE r.owner = excluded.owner OR r.lease_until <= clock_timestamp()
      RETURNING r.owner`,
    resign: `DELETE FROM ${schema}.outbox_relay WHERE owner = $1`,
    next: `
      SELECT id::text, event_id, event_type, topic, key, value, headers
      FROM (
        SELECT o.*, row_number() OVER (ORDER BY o.id) AS place,
          sum(octet_length(o.value) + octet_length(o.key) + octet_length(o.headers)) OVER (ORDER BY o.id) AS upto
        FROM ${schema}.outbox_due($1, $2, $3) AS due (id)
        CROSS JOIN LATERAL (SELECT * FROM ${schema}.outbox WHERE id = due.id LIMIT 1) o
      ) sized
      WHERE upto <= ${String(MAX_BYTES)} OR place = 1
      ORDER BY sized.id`,
    remove: `DELETE FROM ${schema}.outbox WHERE id = ANY ($1::bigint[])`,
    hold: `
      UPDATE ${schema}.outbox SET attempts = attempts + 1, error = $2, retry_at = clock_timestamp() +
        least(${String(FIRST_HOLD_S)} * 2 ^ least(attempts, 10), ${String(LONGEST_HOLD_S)}) * interval '1 s'
      WHERE id = $1`,
    stats: `
      SELECT
        (SELECT count(*) FROM (SELECT FROM ${schema}.outbox LIMIT ${String(MAX_COUNTED)}) o)::integer AS pending,
        (SELECT extract(epoch FROM clock_timestamp() - o.added_at) * 1000
         FROM ${schema}.outbox o ORDER BY o.id LIMIT 1)::double precision AS oldest_ms,
        (SELECT count(*) FROM ${schema}.outbox WHERE retry_at IS NOT NULL)::integer AS held`,
    pendingFor: `
      SELECT EXISTS (
        SELECT FROM ${schema}.outbox WHERE topic = $1 AND sha256(key) = sha256($2::bytea)) AS pending`,
    held: `
      SELECT event_id, event_type, topic, key, error, attempts, added_at
      FROM ${schema}.outbox WHERE retry_at IS NOT NULL ORDER BY id LIMIT $1`,
    // Not what a relay may have read, or may read before this is committed: that goes out all the same.
    discard: `
      DELETE FROM ${schema}.outbox WHERE event_id = $1 AND retry_at IS NOT NULL
        AND (retry_at > clock_timestamp() + ${String(DISCARD_S)} * interval '1 s'
          OR NOT EXISTS (SELECT FROM ${schema}.outbox_relay WHERE lease_until > clock_timestamp()))
      RETURNING id`,
  } as const;
}
