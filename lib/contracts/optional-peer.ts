import { MissingPeerError, toError } from '../kafka-events.errors.js';

/**
 * Imports an optional package when it is first needed.
 *
 * @param load `() => import('…')`, literal, so that types and bundlers see the package.
 * @throws MissingPeerError when it is not installed; any other failure of the import is thrown on.
 */
export async function importPeer<T>(
  packageName: string,
  neededFor: string,
  load: () => Promise<T>,
): Promise<T> {
  try {
    return await load();
  } catch (cause) {
    throw isMissing(packageName, cause)
      ? new MissingPeerError(packageName, neededFor, cause)
      : cause;
  }
}

function isMissing(packageName: string, cause: unknown): boolean {
  const { message } = toError(cause);
  // The same code is thrown when the package is there and one of its own dependencies is not.
  return /Cannot find (package|module)/.test(message) && message.includes(`'${packageName}'`);
}
