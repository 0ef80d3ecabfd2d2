import type { Tables } from '../../postgres/tables.js';

/**
 * The table of claims and the functions that move its entries, as the port's table of states says.
 *
 * Each function is one statement of its caller's: atomic, with the clock of the server, and in the order
 * of keys, so that two of them never wait for each other. Whoever holds the lock of a row for longer is
 * a handler that completes its claim in a transaction of its own; nobody but `complete` waits for those.
 *
 * `key` is a hash: what an index takes is limited, and text takes no zero byte. `forget_at` ends an entry;
 * `sweep_at`, the only column in a second index, is when it may be removed at the earliest. It is set once,
 * so that completing a claim in time touches no index.
 */
export const CLAIMS: Tables = { part: 'claims', versions: [version1] };

function version1(schema: string): string {
  return `
CREATE TABLE ${schema}.claims (
  key bytea PRIMARY KEY,
  token text NOT NULL,
  state text NOT NULL CHECK (state IN ('claimed', 'free', 'done', 'parked', 'dead')),
  level integer NOT NULL,
  attempts integer NOT NULL,
  -- Of a suspect: runs that had started, those alone, and 1 or 2 while it runs; null for all others.
  crashes integer,
  crashes_alone integer,
  run integer,
  lease_until timestamptz NOT NULL,
  lapse interval NOT NULL,
  forget_at timestamptz NOT NULL,
  sweep_at timestamptz NOT NULL
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX claims_sweep_at ON ${schema}.claims (sweep_at);

CREATE FUNCTION ${schema}.claim(
  keys bytea[], tokens text[], leases bigint[], levels integer[], retentions bigint[]
) RETURNS TABLE (
  place integer, answer text, rest_ms double precision,
  failed integer, crashed integer, crashed_alone integer
) LANGUAGE plpgsql AS $$
DECLARE
  at timestamptz := clock_timestamp();
  taken_places bigint[];
  ask record;
  entry record;
  is_over boolean;
  is_closed boolean;
  is_lapsed boolean;
BEGIN
  -- What nobody knows yet, nearly everything, at once.
  WITH asked AS (
    SELECT DISTINCT ON (a.key) a.*
    FROM unnest(keys, tokens, leases, levels, retentions)
      WITH ORDINALITY AS a (key, token, lease, level, retention, place)
    ORDER BY a.key, a.place
  ), added AS (
    INSERT INTO ${schema}.claims AS c
      (key, token, state, level, attempts, lease_until, lapse, forget_at, sweep_at)
    SELECT a.key, a.token, 'claimed', a.level, 0,
      at + a.lease * interval '1 ms', a.retention * interval '1 ms',
      at + (a.lease + greatest(a.lease, a.retention)) * interval '1 ms',
      at + (a.lease + greatest(a.lease, a.retention)) * interval '1 ms'
    FROM asked a
    WHERE NOT EXISTS (SELECT FROM ${schema}.claims known WHERE known.key = a.key)
    ORDER BY a.key
    ON CONFLICT ON CONSTRAINT claims_pkey DO NOTHING
    RETURNING c.key
  )
  SELECT array_agg(a.place) INTO taken_places FROM asked a JOIN added USING (key);
  RETURN QUERY SELECT t::integer, 'claimed', 0::double precision, 0, NULL::integer, NULL::integer
    FROM unnest(taken_places) t;
  IF cardinality(taken_places) = cardinality(keys) THEN RETURN; END IF;

  FOR ask IN
    SELECT a.key, a.token, a.level, a.place, a.lease * interval '1 ms' AS lease,
      a.retention * interval '1 ms' AS retention
    FROM unnest(keys, tokens, leases, levels, retentions)
      WITH ORDINALITY AS a (key, token, lease, level, retention, place)
    LEFT JOIN unnest(taken_places) AS t (place) USING (place)
    WHERE t.place IS NULL
    ORDER BY a.key, a.place
  LOOP
    -- For what others are about to change: it is looked at again soon.
    place := ask.place; answer := 'in-progress'; rest_ms := 1000;
    failed := 0; crashed := NULL; crashed_alone := NULL;
    FOR tries IN 1..3 LOOP
      at := clock_timestamp();
      SELECT c.*, c.xmin AS version INTO entry FROM ${schema}.claims c WHERE c.key = ask.key;
      IF NOT FOUND THEN
        INSERT INTO ${schema}.claims
          (key, token, state, level, attempts, lease_until, lapse, forget_at, sweep_at)
        VALUES (ask.key, ask.token, 'claimed', ask.level, 0, at + ask.lease, ask.retention,
          at + ask.lease + greatest(ask.lease, ask.retention),
          at + ask.lease + greatest(ask.lease, ask.retention))
        ON CONFLICT ON CONSTRAINT claims_pkey DO NOTHING;
        CONTINUE WHEN NOT FOUND;
        answer := 'claimed';
        EXIT;
      END IF;
      is_over := entry.forget_at <= at;
      is_closed := NOT is_over AND entry.state IN ('done', 'parked', 'dead');
      is_lapsed := NOT is_over AND entry.state = 'claimed' AND entry.token <> ask.token;
      IF is_closed AND (entry.state = 'done' OR ask.level <= entry.level) THEN
        answer := entry.state;
        EXIT;
      END IF;
      IF is_lapsed AND entry.lease_until > at THEN
        rest_ms := extract(epoch FROM entry.lease_until - at) * 1000;
        EXIT;
      END IF;
      IF NOT is_over AND NOT is_closed AND ask.level < entry.level THEN
        answer := 'parked';
        EXIT;
      END IF;
      -- Taken as it was seen, or seen again.
      IF is_over OR entry.state <> 'claimed' THEN
        -- Locked, if at all, by a sweep or another call, and not for long; only what is claimed a handler locks.
        PERFORM FROM ${schema}.claims c WHERE c.key = ask.key AND c.xmin = entry.version FOR UPDATE;
      ELSE
        PERFORM FROM ${schema}.claims c WHERE c.key = ask.key AND c.xmin = entry.version
          FOR UPDATE SKIP LOCKED;
      END IF;
      CONTINUE WHEN NOT FOUND;
      IF NOT is_over AND NOT is_closed THEN
        failed := entry.attempts;
        crashed := entry.crashes;
        crashed_alone := entry.crashes_alone;
      END IF;
      IF is_lapsed THEN
        crashed := coalesce(crashed, 0) + (coalesce(entry.run, 0) > 0)::integer;
        crashed_alone := coalesce(crashed_alone, 0) + (coalesce(entry.run, 0) > 1)::integer;
      END IF;
      UPDATE ${schema}.claims c SET
        token = ask.token, state = 'claimed', level = ask.level, attempts = failed,
        crashes = crashed, crashes_alone = crashed_alone,
        run = CASE WHEN crashed IS NULL THEN NULL WHEN is_lapsed THEN 0 ELSE entry.run END,
        lease_until = at + ask.lease, lapse = ask.retention,
        forget_at = at + ask.lease + greatest(ask.lease, ask.retention)
      WHERE c.key = ask.key;
      answer := 'claimed';
      EXIT;
    END LOOP;
    RETURN NEXT;
  END LOOP;
END $$;

CREATE FUNCTION ${schema}.complete(
  keys bytea[], tokens text[], states text[], levels integer[], retentions bigint[]
) RETURNS TABLE (place integer, ours boolean) LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
  at timestamptz;
  ask record;
BEGIN
  FOR ask IN
    SELECT a.*, a.retention * interval '1 ms' AS kept
    FROM unnest(keys, tokens, states, levels, retentions)
      WITH ORDINALITY AS a (key, token, state, level, retention, place)
    ORDER BY a.key, a.place
  LOOP
    place := ask.place;
    LOOP
      at := clock_timestamp();
      UPDATE ${schema}.claims c SET
        token = ask.token, state = ask.state, level = ask.level, attempts = 0,
        crashes = NULL, crashes_alone = NULL, run = NULL, forget_at = at + ask.kept
      WHERE c.key = ask.key
        AND (c.token = ask.token OR c.state = 'free' OR c.forget_at <= at);
      ours := FOUND;
      EXIT WHEN FOUND;
      PERFORM FROM ${schema}.claims c WHERE c.key = ask.key;
      EXIT WHEN FOUND;
      INSERT INTO ${schema}.claims
        (key, token, state, level, attempts, lease_until, lapse, forget_at, sweep_at)
      VALUES (ask.key, ask.token, ask.state, ask.level, 0, at, ask.kept, at + ask.kept, at + ask.kept)
      ON CONFLICT ON CONSTRAINT claims_pkey DO NOTHING;
      ours := FOUND;
      EXIT WHEN FOUND;
    END LOOP;
    RETURN NEXT;
  END LOOP;
END $$;

-- In the transaction of a handler: all of them are ours and become done, or that transaction fails.
CREATE FUNCTION ${schema}.complete_in(claims jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  ask record;
  entry record;
BEGIN
  FOR ask IN
    SELECT decode(c ->> 'key', 'hex') AS key, c ->> 'token' AS token,
      (c ->> 'level')::integer AS level, (c ->> 'retentionMs')::bigint AS retention
    FROM jsonb_array_elements(claims) c ORDER BY 1
  LOOP
    SELECT c.token, c.state INTO entry FROM ${schema}.claims c WHERE c.key = ask.key FOR UPDATE;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'gone' USING ERRCODE = 'KE001';
    ELSIF entry.token <> ask.token THEN
      RAISE EXCEPTION 'taken' USING ERRCODE = 'KE001';
    ELSIF entry.state <> 'claimed' THEN
      RAISE EXCEPTION '%', entry.state USING ERRCODE = 'KE001';
    END IF;
    UPDATE ${schema}.claims c SET
      state = 'done', level = ask.level, attempts = 0,
      crashes = NULL, crashes_alone = NULL, run = NULL,
      forget_at = clock_timestamp() + ask.retention * interval '1 ms'
    WHERE c.key = ask.key;
  END LOOP;
END $$;

CREATE FUNCTION ${schema}.release(
  keys bytea[], tokens text[], failed integer[], retentions bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  at timestamptz := clock_timestamp();
  ask record;
BEGIN
  FOR ask IN
    SELECT a.*, a.retention * interval '1 ms' AS kept
    FROM unnest(keys, tokens, failed, retentions)
      WITH ORDINALITY AS a (key, token, failed, retention, place)
    ORDER BY a.key, a.place
  LOOP
    PERFORM FROM ${schema}.claims c
      WHERE c.key = ask.key AND c.token = ask.token AND c.state = 'claimed' AND c.forget_at > at
      FOR UPDATE SKIP LOCKED;
    CONTINUE WHEN NOT FOUND;
    UPDATE ${schema}.claims c SET
      state = 'free', attempts = ask.failed, lapse = ask.kept, forget_at = at + ask.kept,
      crashes = CASE WHEN c.run > 0 THEN NULL ELSE c.crashes END,
      crashes_alone = CASE WHEN c.run > 0 THEN NULL ELSE c.crashes_alone END,
      run = CASE WHEN c.run > 0 THEN NULL ELSE c.run END
    WHERE c.key = ask.key;
  END LOOP;
END $$;

CREATE FUNCTION ${schema}.renew(keys bytea[], tokens text[], leases bigint[])
RETURNS TABLE (place integer, ours boolean) LANGUAGE plpgsql AS $$
DECLARE
  at timestamptz := clock_timestamp();
  ask record;
BEGIN
  FOR ask IN
    SELECT a.*, a.lease * interval '1 ms' AS lasting
    FROM unnest(keys, tokens, leases) WITH ORDINALITY AS a (key, token, lease, place)
    ORDER BY a.key, a.place
  LOOP
    place := ask.place;
    PERFORM FROM ${schema}.claims c
      WHERE c.key = ask.key AND c.token = ask.token AND c.state = 'claimed' AND c.forget_at > at
      FOR UPDATE SKIP LOCKED;
    IF FOUND THEN
      UPDATE ${schema}.claims c SET
        lease_until = at + ask.lasting,
        forget_at = at + ask.lasting + greatest(ask.lasting, c.lapse)
      WHERE c.key = ask.key;
      ours := true;
    ELSE
      -- A row that its handler has locked is ours, and as safe as a lease: nobody can take it.
      ours := EXISTS (SELECT FROM ${schema}.claims c
        WHERE c.key = ask.key AND c.token = ask.token AND c.state = 'claimed' AND c.forget_at > at);
    END IF;
    RETURN NEXT;
  END LOOP;
END $$;

CREATE FUNCTION ${schema}.start(keys bytea[], tokens text[], runs integer[])
RETURNS TABLE (place integer, ours boolean) LANGUAGE plpgsql SET lock_timeout = '1s' AS $$
DECLARE
  ask record;
BEGIN
  FOR ask IN
    SELECT a.* FROM unnest(keys, tokens, runs) WITH ORDINALITY AS a (key, token, run, place)
    ORDER BY a.key, a.place
  LOOP
    place := ask.place;
    UPDATE ${schema}.claims c SET
      run = ask.run, crashes = coalesce(c.crashes, 0), crashes_alone = coalesce(c.crashes_alone, 0)
    WHERE c.key = ask.key AND c.token = ask.token AND c.state = 'claimed'
      AND c.forget_at > clock_timestamp();
    ours := FOUND;
    RETURN NEXT;
  END LOOP;
END $$;

CREATE FUNCTION ${schema}.refresh(keys bytea[], retentions bigint[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  at timestamptz := clock_timestamp();
BEGIN
  WITH due AS (
    SELECT c.key, at + a.retention * interval '1 ms' AS forget_at
    FROM (SELECT u.key, max(u.retention) AS retention
          FROM unnest(keys, retentions) AS u (key, retention) GROUP BY u.key) a
    JOIN ${schema}.claims c USING (key)
    WHERE c.state IN ('done', 'parked', 'dead') AND c.forget_at > at
      AND c.forget_at < at + a.retention * interval '1 ms'
    ORDER BY c.key
    FOR UPDATE OF c SKIP LOCKED
  )
  UPDATE ${schema}.claims c SET forget_at = due.forget_at FROM due WHERE c.key = due.key;
END $$;

-- Removes up to so many entries that are over; answers how many it looked at.
CREATE FUNCTION ${schema}.sweep(at_most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  at timestamptz := clock_timestamp();
  seen bytea[];
BEGIN
  SELECT array_agg(due.key) INTO seen FROM (
    SELECT c.key FROM ${schema}.claims c WHERE c.sweep_at <= at
    ORDER BY c.sweep_at LIMIT at_most FOR UPDATE SKIP LOCKED
  ) due;
  DELETE FROM ${schema}.claims c WHERE c.key = ANY (seen) AND c.forget_at <= at;
  UPDATE ${schema}.claims c SET sweep_at = c.forget_at WHERE c.key = ANY (seen);
  RETURN coalesce(cardinality(seen), 0);
END $$;
`;
}
