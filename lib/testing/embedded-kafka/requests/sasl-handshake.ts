import { brokerRequest } from '../broker-request.js';
import { beginExchange } from '../sasl/sasl-settings.js';
import { errorCodeOf, KafkaErrorCode } from '../wire/kafka-error.js';

export interface SaslHandshakeRequest {
  readonly mechanism: string;
}

export interface SaslHandshakeResponse {
  readonly errorCode: number;
  /** What the listener offers. */
  readonly mechanisms: readonly string[];
}

/** Chooses how to authenticate. */
export const saslHandshake = brokerRequest<SaslHandshakeRequest, SaslHandshakeResponse>({
  key: 17,
  minVersion: 1,
  maxVersion: 1,
  // librdkafka looks for version 0 to know that there is a handshake, and then uses version 1.
  advertisedMinVersion: 0,

  read: (reader) => ({ mechanism: reader.string() }),

  write(writer, response) {
    writer
      .int16(response.errorCode)
      .array(response.mechanisms, (mechanism) => writer.string(mechanism));
  },

  handle({ mechanism }, { session }) {
    if (session.sasl === null || session.authenticated) {
      return { errorCode: KafkaErrorCode.ILLEGAL_SASL_STATE, mechanisms: [] };
    }
    const { mechanisms } = session.sasl;
    try {
      session.exchange = beginExchange(session.sasl, mechanism);
      return { errorCode: KafkaErrorCode.NONE, mechanisms };
    } catch (error) {
      session.rejected = true;
      return { errorCode: errorCodeOf(error), mechanisms };
    }
  },

  refuse: (_request, errorCode) => ({ errorCode, mechanisms: [] }),
});
