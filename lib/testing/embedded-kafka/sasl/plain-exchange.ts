import { KafkaProtocolError } from '../wire/kafka-error.js';
import type { SaslExchange } from './sasl-exchange.js';

/** User and password in clear text, in one message. @see https://www.rfc-editor.org/rfc/rfc4616 */
export class PlainExchange implements SaslExchange {
  complete = false;

  constructor(private readonly users: ReadonlyMap<string, string>) {}

  next(message: Buffer): Buffer {
    const [authorizationId, user, password, ...more] = message.toString().split('\0');
    const known = user === undefined ? undefined : this.users.get(user);
    const actsForItself = authorizationId === '' || authorizationId === user;
    if (known === undefined || known !== password || !actsForItself || more.length > 0) {
      throw new KafkaProtocolError(
        'SASL_AUTHENTICATION_FAILED',
        'Authentication failed: Invalid username or password',
      );
    }
    this.complete = true;
    return Buffer.alloc(0);
  }
}
