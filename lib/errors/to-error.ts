/** Anything thrown, as an Error: what is none becomes the `cause` of one. */
export function toError(thrown: unknown): Error {
  return isErrorLike(thrown) ? thrown : new Error(textOf(thrown), { cause: thrown });
}

// Not `instanceof`: an error may come from another realm (jest runs tests in one).
function isErrorLike(thrown: unknown): thrown is Error {
  return (
    typeof thrown === 'object' &&
    thrown !== null &&
    'message' in thrown &&
    typeof thrown.message === 'string' &&
    'name' in thrown &&
    typeof thrown.name === 'string'
  );
}

// Not the object itself as text: it may hold a payload, or a secret.
function textOf(thrown: unknown): string {
  return typeof thrown === 'object' && thrown !== null
    ? 'something that is not an Error was thrown'
    : String(thrown);
}
