import { brokerRequest } from '../broker-request.js';
import type { Session } from '../server/session.js';
import { errorCodeOf, KafkaErrorCode, KafkaProtocolError } from '../wire/kafka-error.js';

export interface SaslAuthenticateRequest {
  /** A message of the chosen mechanism. */
  readonly authBytes: Buffer;
}

export interface SaslAuthenticateResponse {
  readonly errorCode: number;
  readonly errorMessage: string | null;
  readonly authBytes: Buffer;
}

/** One message of an authentication, and the broker's answer to it. */
export const saslAuthenticate = brokerRequest<SaslAuthenticateRequest, SaslAuthenticateResponse>({
  key: 36,
  minVersion: 0,
  maxVersion: 1,

  read: (reader) => ({ authBytes: reader.bytesField() }),

  write(writer, response, version) {
    writer.int16(response.errorCode).string(response.errorMessage).bytes(response.authBytes);
    const lastsUntilClosed = 0n;
    if (version >= 1) writer.int64(lastsUntilClosed);
  },

  handle({ authBytes }, { session }) {
    try {
      return answer(KafkaErrorCode.NONE, null, nextStep(session, authBytes));
    } catch (error) {
      session.rejected = true;
      return answer(errorCodeOf(error), error instanceof Error ? error.message : null);
    }
  },

  refuse: (_request, errorCode) => answer(errorCode, null),
});

function nextStep(session: Session, message: Buffer): Buffer {
  if (session.exchange === null) throw new KafkaProtocolError('ILLEGAL_SASL_STATE');
  const challenge = session.exchange.next(message);
  if (session.exchange.complete) {
    session.authenticated = true;
    session.exchange = null;
  }
  return challenge;
}

function answer(
  errorCode: number,
  errorMessage: string | null,
  authBytes: Buffer = Buffer.alloc(0),
): SaslAuthenticateResponse {
  return { errorCode, errorMessage, authBytes };
}
