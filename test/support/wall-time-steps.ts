const HOUR = 3_600_000;

/** How far the time of day is set while something is waited for, as cases of `it.each`. */
export const WALL_TIME_STEPS = [
  ['back', -HOUR],
  ['forward', HOUR],
] as const;
