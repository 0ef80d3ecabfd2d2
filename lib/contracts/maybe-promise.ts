/** A value, or the promise of one: what is ready at once is not made to wait a turn of the loop. */
export type MaybePromise<T> = T | Promise<T>;

/** Tells a promise from a value; any thenable counts. */
export function isPromise<T>(value: MaybePromise<T>): value is Promise<T> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'then' in value &&
    typeof value.then === 'function'
  );
}
