import type { SaslExchange } from '../sasl/sasl-exchange.js';
import type { SaslSettings } from '../sasl/sasl-settings.js';

/** What a connection has proven about its client. */
export interface Session {
  /** What the listener asks for; null where it asks for nothing. */
  readonly sasl: SaslSettings | null;
  /** False until the client has authenticated, on a listener that asks for it. */
  authenticated: boolean;
  /** Under way since SaslHandshake; null before and after. */
  exchange: SaslExchange | null;
  /** Authentication has failed: the connection is closed after the answer. */
  rejected: boolean;
}

export function openSession(sasl: SaslSettings | null): Session {
  return { sasl, authenticated: sasl === null, exchange: null, rejected: false };
}
