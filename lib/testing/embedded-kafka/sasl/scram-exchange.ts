import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import { KafkaProtocolError } from '../wire/kafka-error.js';
import type { SaslExchange } from './sasl-exchange.js';

/** The least that RFC 7677 allows: these passwords guard test data, and every login pays for it. */
const ITERATIONS = 4096;

/** What the client sent and was sent first; the proof covers both. */
interface Challenge {
  readonly clientFirst: string;
  readonly serverFirst: string;
  readonly nonce: string;
  readonly saltedPassword: Buffer;
}

/**
 * Proof of a password without sending it: the client's first message, a challenge, the client's
 * proof, the broker's signature.
 *
 * @see https://www.rfc-editor.org/rfc/rfc5802
 */
export class ScramExchange implements SaslExchange {
  complete = false;
  #challenge: Challenge | null = null;

  constructor(
    private readonly hash: 'sha256' | 'sha512',
    private readonly users: ReadonlyMap<string, string>,
  ) {}

  next(message: Buffer): Buffer {
    const text = message.toString();
    const answer =
      this.#challenge === null ? this.#begin(text) : this.#finish(text, this.#challenge);
    return Buffer.from(answer);
  }

  #begin(text: string): string {
    const [, clientFirst = ''] = /^[ny],[^,]*,(.*)$/s.exec(text) ?? [];
    const given = attributes(clientFirst);
    const password = this.users.get(unescaped(given.get('n') ?? ''));
    const clientNonce = given.get('r');
    if (password === undefined || !clientNonce) throw refused();

    const nonce = clientNonce + randomBytes(18).toString('base64url');
    const salt = randomBytes(16);
    const bytes = createHash(this.hash).digest().length;
    const saltedPassword = pbkdf2Sync(password, salt, ITERATIONS, bytes, this.hash);
    const serverFirst = `r=${nonce},s=${salt.toString('base64')},i=${String(ITERATIONS)}`;
    this.#challenge = { clientFirst, serverFirst, nonce, saltedPassword };
    return serverFirst;
  }

  #finish(text: string, { clientFirst, serverFirst, nonce, saltedPassword }: Challenge): string {
    const [, withoutProof = '', proof = ''] = /^(.*),p=([^,]*)$/s.exec(text) ?? [];
    if (attributes(withoutProof).get('r') !== nonce) throw refused();

    const signed = `${clientFirst},${serverFirst},${withoutProof}`;
    const clientKey = this.#hmac(saltedPassword, 'Client Key');
    const storedKey = createHash(this.hash).update(clientKey).digest();
    const expected = xor(clientKey, this.#hmac(storedKey, signed));
    const given = Buffer.from(proof, 'base64');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw refused();

    this.complete = true;
    const signature = this.#hmac(this.#hmac(saltedPassword, 'Server Key'), signed);
    return `v=${signature.toString('base64')}`;
  }

  #hmac(key: Buffer, text: string): Buffer {
    return createHmac(this.hash, key).update(text).digest();
  }
}

/** `n=user,r=nonce` by their letters. */
function attributes(text: string): ReadonlyMap<string, string> {
  return new Map(text.split(',').map((part) => [part.slice(0, 1), part.slice(2)]));
}

/** A user name's comma and equals sign travel as `=2C` and `=3D`. */
function unescaped(name: string): string {
  return name.replaceAll('=2C', ',').replaceAll('=3D', '=');
}

function xor(left: Buffer, right: Buffer): Buffer {
  return Buffer.from(left.map((byte, i) => byte ^ (right[i] ?? 0)));
}

function refused(): KafkaProtocolError {
  return new KafkaProtocolError(
    'SASL_AUTHENTICATION_FAILED',
    'Authentication failed: Invalid user credentials',
  );
}
