/** Node's `Date`, but for what time it says that it is: milliseconds since the Unix epoch. */
export function dateOf(now: () => number): DateConstructor {
  return new Proxy(Date, {
    construct: (date, given) =>
      Reflect.construct(date, given.length === 0 ? [now()] : given) as Date,
    get: (date, name) => (name === 'now' ? now : (Reflect.get(date, name) as unknown)),
  });
}
