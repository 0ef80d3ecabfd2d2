import { MissingTablesError } from '../kafka-events.errors.js';
import type { PostgresDatabase } from './postgres-database.js';
import type { PoolClient } from 'pg';

/** The tables of one part of this package, as steps that lead from one version to the next. */
export interface Tables {
  /** For example `claims`. */
  readonly part: string;
  /** SQL of version 1, 2, …; may be several statements each. Released ones never change. */
  readonly versions: readonly ((schema: string) => string)[];
}

/** Any number that nobody else takes; held while tables are made, so that of many who boot one makes them. */
const LOCK = 4_747_353_111;

/**
 * Makes the tables that are missing, and brings older ones up to date; does nothing where they are. Safe
 * to be called by many at once.
 */
export async function createTables(database: PostgresDatabase, tables: Tables): Promise<void> {
  const { schema } = database;
  await database.transaction(async (tx) => {
    await tx.query(`SELECT pg_advisory_xact_lock(${String(LOCK)})`);
    await tx.query(versionsTable(schema));
    const present = await versionOf(tx, schema, tables);
    for (const sql of stepsFrom(present, schema, tables)) await tx.query(sql);
  });
}

/** Everything `createTables` does as one script, for a migration of the application's own; for an empty schema. */
export function sqlOfTables(schema: string, tables: Tables): string {
  return [versionsTable(schema), ...stepsFrom(0, schema, tables)].join('\n');
}

/** @throws MissingTablesError, which names what is missing and how to make it. */
export async function verifyTables(database: PostgresDatabase, tables: Tables): Promise<void> {
  const { schema } = database;
  const { part, versions } = tables;
  // Of a table that may not be there: to_regclass answers null then, and the plan never touches it.
  const [known] = await database.query(`SELECT to_regclass($1) IS NOT NULL AS is_there`, [
    `${schema}.table_versions`,
  ]);
  const rows =
    known?.is_there === true
      ? await database.query(`SELECT version FROM ${schema}.table_versions WHERE part = $1`, [part])
      : [];
  const present = Number(rows[0]?.version ?? 0);
  if (present >= versions.length) return;
  const found = present === 0 ? 'there are none' : `they have version ${String(present)}`;
  throw new MissingTablesError(
    part,
    `schema "${schema}" needs version ${String(versions.length)} of its tables, ${found}`,
  );
}

function versionsTable(schema: string): string {
  return `
CREATE SCHEMA IF NOT EXISTS ${schema};
CREATE TABLE IF NOT EXISTS ${schema}.table_versions (
  part text PRIMARY KEY,
  version integer NOT NULL,
  since timestamptz NOT NULL DEFAULT now()
);`;
}

function stepsFrom(present: number, schema: string, { part, versions }: Tables): string[] {
  return versions.slice(present).map(
    (sql, i) => `${sql(schema)}
INSERT INTO ${schema}.table_versions (part, version) VALUES ('${part}', ${String(present + i + 1)})
ON CONFLICT (part) DO UPDATE SET version = excluded.version, since = now();`,
  );
}

async function versionOf(tx: PoolClient, schema: string, { part }: Tables): Promise<number> {
  const asked = `SELECT version FROM ${schema}.table_versions WHERE part = $1`;
  const { rows } = await tx.query<{ version: number }>(asked, [part]);
  return rows[0]?.version ?? 0;
}
