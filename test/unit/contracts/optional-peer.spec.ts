import { describe, expect, it } from '@jest/globals';

import { importPeer } from '../../../lib/contracts/optional-peer.js';
import { MissingPeerError } from '../../../lib/kafka-events.errors.js';

const failsWith = (message: string, code: string) => () =>
  Promise.reject(Object.assign(new Error(message), { code }));

describe('importPeer', () => {
  it('gives the module', async () => {
    await expect(importPeer('zod', 'Testing', () => import('zod'))).resolves.toHaveProperty('z');
  });

  it('says which package to install, and for what', async () => {
    const absent = 'a-package-that-is-not-there';
    const imported = importPeer(absent, 'Testing', () => import(absent));
    await expect(imported).rejects.toBeInstanceOf(MissingPeerError);
    await expect(imported).rejects.toMatchObject({
      message: `Testing needs the package "${absent}", which is not installed: npm install ${absent}`,
      packageName: absent,
    });
  });

  it("understands Node's own words", async () => {
    const message = "Cannot find package 'peer' imported from /app/node_modules/x/y.js";
    await expect(
      importPeer('peer', 'Testing', failsWith(message, 'ERR_MODULE_NOT_FOUND')),
    ).rejects.toBeInstanceOf(MissingPeerError);
  });

  it.each([
    ["Cannot find package 'its-dependency' imported from /app/node_modules/peer/index.js"],
    ["The package 'peer' is on fire"],
  ])('throws any other failure on: %s', async (message) => {
    const imported = importPeer('peer', 'Testing', failsWith(message, 'ERR_MODULE_NOT_FOUND'));
    await expect(imported).rejects.not.toBeInstanceOf(MissingPeerError);
    await expect(imported).rejects.toThrow(message);
  });
});
