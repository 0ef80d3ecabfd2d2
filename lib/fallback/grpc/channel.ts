import type * as GrpcJs from '@grpc/grpc-js';
import type { ChannelCredentials, ChannelOptions } from '@grpc/grpc-js';

/** PEM text or bytes. */
export interface ChannelTls {
  readonly ca?: string | Buffer;
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
}

/**
 * How a channel has to behave behind whoever repeats and waits by himself: it comes back soon after its
 * service does, repeats nothing, and shares no connection with others, so that a new one is a new one.
 */
export const CHANNEL: ChannelOptions = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.max_send_message_length': -1,
};

/** @param tls true: TLS with Node's authorities; false: none. */
export function credentialsOf(
  { credentials }: Pick<typeof GrpcJs, 'credentials'>,
  tls: boolean | ChannelTls,
): ChannelCredentials {
  if (tls === false) return credentials.createInsecure();
  const { ca, cert, key } = tls === true ? {} : tls;
  return credentials.createSsl(bytesOf(ca), bytesOf(key), bytesOf(cert));
}

function bytesOf(pem: string | Buffer | undefined): Buffer | null {
  return pem === undefined ? null : Buffer.from(pem);
}
