import type { SaslSettings } from '../sasl/sasl-settings.js';

/** What the clients of a port have to speak. */
export interface ListenerSettings {
  readonly name: string;
  /** Key and certificate as PEM text; null for plain TCP. */
  readonly tls: { readonly key: string; readonly cert: string } | null;
  /** Null lets everybody in. */
  readonly sasl: SaslSettings | null;
}
