/** The broker's side of one authentication: the client's messages come in, answers go out. */
export interface SaslExchange {
  /** True once the client has proven who it is. */
  readonly complete: boolean;
  /** @throws KafkaProtocolError SASL_AUTHENTICATION_FAILED. */
  next(message: Buffer): Buffer;
}
