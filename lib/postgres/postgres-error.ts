import {
  InvalidOptionsError,
  MissingTablesError,
  StoreUnavailableError,
  toError,
} from '../kafka-events.errors.js';

/** What Postgres or its client threw, in the terms of this package; nothing of it quotes values. */
export function fromPostgres(thrown: unknown, store: string): Error {
  const error = toError(thrown);
  const state = sqlStateOf(error);
  const cause = withoutValues(error);
  const said = textOf(error);
  if (isMissing(state)) return new MissingTablesError(store, said, { cause });
  if (isRefusal(state)) {
    return new InvalidOptionsError([
      { option: store, problem: `Postgres refuses the connection or the statement: ${said}` },
    ]);
  }
  return new StoreUnavailableError(`Postgres does not answer: ${said}`, { cause });
}

/** The SQLSTATE of an error that Postgres sent; null for what broke on the way. */
export function sqlStateOf(error: Error): string | null {
  if (!('code' in error) || typeof error.code !== 'string') return null;
  return /^[0-9A-Z]{5}$/.test(error.code) ? error.code : null;
}

/** A schema, table, function or column that is not there. */
function isMissing(state: string | null): boolean {
  return state !== null && ['3F000', '42P01', '42883', '42703'].includes(state);
}

/** Wrong credentials, an unknown database, a right that was not granted: time mends none of them. */
function isRefusal(state: string | null): boolean {
  return state !== null && (state.startsWith('28') || ['3D000', '42501'].includes(state));
}

/** Where every address of a host refused, the error that says so has no message of its own. */
function textOf(error: Error): string {
  if (error.message !== '') return error.message;
  return 'code' in error ? String(error.code) : error.name;
}

/** Postgres adds rows and statements to its errors; neither belongs in a log. */
function withoutValues(error: Error): Error {
  const { name, message, stack } = error;
  const code = 'code' in error ? { code: error.code } : {};
  return Object.assign(new Error(message), { name, stack, ...code });
}
