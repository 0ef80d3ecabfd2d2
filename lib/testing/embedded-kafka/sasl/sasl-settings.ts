import { KafkaProtocolError } from '../wire/kafka-error.js';
import { PlainExchange } from './plain-exchange.js';
import type { SaslExchange } from './sasl-exchange.js';
import { ScramExchange } from './scram-exchange.js';

export type SaslMechanism = 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512';

export const SASL_MECHANISMS: readonly SaslMechanism[] = [
  'PLAIN',
  'SCRAM-SHA-256',
  'SCRAM-SHA-512',
];

/** How clients of a listener prove who they are. */
export interface SaslSettings {
  readonly mechanisms: readonly SaslMechanism[];
  /** Passwords by user name. */
  readonly users: Readonly<Record<string, string>>;
}

/** @throws KafkaProtocolError UNSUPPORTED_SASL_MECHANISM for one that the listener does not offer. */
export function beginExchange(settings: SaslSettings, mechanism: string): SaslExchange {
  const offered = settings.mechanisms.find((name) => name === mechanism);
  const users = new Map(Object.entries(settings.users));
  switch (offered) {
    case 'PLAIN':
      return new PlainExchange(users);
    case 'SCRAM-SHA-256':
      return new ScramExchange('sha256', users);
    case 'SCRAM-SHA-512':
      return new ScramExchange('sha512', users);
    case undefined:
      throw new KafkaProtocolError('UNSUPPORTED_SASL_MECHANISM', mechanism);
  }
}
