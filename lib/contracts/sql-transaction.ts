/**
 * An open transaction of the caller's: a client of `pg`, a manager or query runner of TypeORM, or a few
 * lines around any other library that runs SQL with `$1`, `$2`, … on one connection.
 */
export interface SqlTransaction {
  query(text: string, values?: unknown[]): PromiseLike<unknown>;
}
