import { importPeer } from './optional-peer.js';

const NEEDED_FOR = 'Validating @DomainEvent classes';

/** What is used of class-validator and class-transformer, once they are loaded. */
export type ClassValidationPeers = Awaited<ReturnType<typeof loadClassValidationPeers>>;

/**
 * Loads class-validator and class-transformer.
 *
 * By `import()`, so that we share the copies the application's own decorators registered with,
 * whatever loads its modules.
 *
 * @throws MissingPeerError when one is not installed.
 */
export async function loadClassValidationPeers() {
  const [transformer, validator] = await Promise.all([
    importPeer('class-transformer', NEEDED_FOR, () => import('class-transformer')),
    importPeer('class-validator', NEEDED_FOR, () => import('class-validator')),
  ]);
  return {
    plainToInstance: transformer.plainToInstance,
    validate: validator.validate,
    ValidationTypes: validator.ValidationTypes,
    getMetadataStorage: validator.getMetadataStorage,
  };
}
