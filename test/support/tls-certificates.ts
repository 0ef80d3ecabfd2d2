import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface TlsCertificates {
  /** The authority to trust, as PEM text. */
  readonly ca: string;
  /** File with the server's private key and certificate, for 127.0.0.1 and localhost. */
  readonly keyStore: string;
}

/** Makes a throw-away certificate authority and a server certificate signed by it, with openssl. */
export async function createTlsCertificates(directory: string): Promise<TlsCertificates> {
  const file = (name: string) => join(directory, name);
  const openssl = (...args: string[]) => run('openssl', args);
  const newKey = ['-newkey', 'rsa:2048', '-nodes'];

  await openssl(
    ...['req', '-x509', ...newKey, '-days', '2', '-subj', '/CN=test authority'],
    ...['-keyout', file('ca.key'), '-out', file('ca.pem')],
  );
  await openssl(
    ...['req', ...newKey, '-subj', '/CN=localhost'],
    ...['-keyout', file('server.key'), '-out', file('server.csr')],
  );
  await writeFile(file('server.cnf'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  await openssl(
    ...['x509', '-req', '-in', file('server.csr'), '-days', '2'],
    ...['-CA', file('ca.pem'), '-CAkey', file('ca.key'), '-CAcreateserial'],
    ...['-extfile', file('server.cnf'), '-out', file('server.pem')],
  );

  const [key, certificate, ca] = await Promise.all(
    ['server.key', 'server.pem', 'ca.pem'].map((name) => readFile(file(name), 'utf8')),
  );
  await writeFile(file('keystore.pem'), `${key ?? ''}${certificate ?? ''}`);
  return { ca: ca ?? '', keyStore: file('keystore.pem') };
}
