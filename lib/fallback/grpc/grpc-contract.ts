import type { AnyDefinition, MethodDefinition, PackageDefinition } from '@grpc/proto-loader';

import { nearestName } from '../../options/nearest-name.js';

/** A method that takes one request and gives one reply. */
export type UnaryMethod = Pick<
  MethodDefinition<object, object>,
  'path' | 'requestSerialize' | 'responseDeserialize'
>;

/**
 * The unary methods of a service in a contract, by the name that TypeScript would give them: `getStock` for
 * `GetStock`.
 *
 * @throws Error when the contract has no such service; names what there is.
 */
export function unaryMethods(
  contract: PackageDefinition,
  packageName: string,
  service: string,
): ReadonlyMap<string, UnaryMethod> {
  const wanted = packageName === '' ? service : `${packageName}.${service}`;
  const services = Object.entries(contract).filter(([, definition]) => isService(definition));
  const [, found] = services.find(([name]) => name === wanted) ?? [];
  if (found === undefined) {
    const names = services.map(([name]) => name);
    const meant = nearestName(wanted, names);
    const hint =
      meant === null ? `there is ${names.join(', ') || 'none'}` : `did you mean ${meant}?`;
    throw new Error(`there is no service "${wanted}" in the contract; ${hint}`);
  }
  const methods = Object.entries(found as Record<string, MethodDefinition<object, object>>);
  return new Map(
    methods
      .filter(([, { requestStream, responseStream }]) => !requestStream && !responseStream)
      .map(([name, method]) => [method.originalName ?? name, method]),
  );
}

/** Messages and enums have a format; services are plain tables of methods. */
function isService(definition: AnyDefinition): boolean {
  return !('format' in definition && typeof definition.format === 'string');
}
