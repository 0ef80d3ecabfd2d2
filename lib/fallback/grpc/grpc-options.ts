import type { ChannelOptions } from '@grpc/grpc-js';
import type { Options as ProtoLoaderOptions } from '@grpc/proto-loader';

import type { SyncMetadata } from '../sync-transport.js';
import { CHANNEL } from './channel.js';

/** TLS towards a service; PEM text or bytes. */
export interface GrpcTlsOptions {
  /** Authorities to trust. Default: those of Node. */
  readonly ca?: string | Buffer;
  /** This side's certificate and key, for services that ask who calls (mTLS); both or none. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** The name that the service's certificate must have. Default: the host of `url`. */
  readonly serverName?: string;
}

/** Where a service is and what it speaks. Names are as in Nest's gRPC options. */
export interface GrpcOptions {
  /** `host:port`, or any target that gRPC resolves, such as `dns:///inventory:5000`. */
  readonly url: string;
  /** Files of the contract, absolute or relative to `loader.includeDirs`. */
  readonly protoPath: string | readonly string[];
  readonly package: string;
  /** As the contract names it. */
  readonly service: string;
  /** True: TLS with Node's authorities. Default false. */
  readonly tls?: boolean | GrpcTlsOptions;
  /** Largest request and largest reply, encoded. Default 4 MiB. */
  readonly maxMessageBytes?: number;
  /** Sent with each call, asked for each time: a token that changes. Never logged. */
  readonly metadata?: () => SyncMetadata;
  /**
   * How messages become objects. Default: field names in camel case, absent fields with their default, enums
   * and 64-bit integers as text.
   */
  readonly loader?: ProtoLoaderOptions;
  /** gRPC's own, over ours; for example `grpc.keepalive_time_ms`. */
  readonly channelOptions?: ChannelOptions;
}

const MIB = 1024 * 1024;

export const DEFAULT_MAX_MESSAGE_BYTES = 4 * MIB;

export const DEFAULT_LOADER: ProtoLoaderOptions = {
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
};

/** {@link CHANNEL}, with what the options add. Of requests the size is checked before they are sent. */
export function channelOptionsOf(options: GrpcOptions): ChannelOptions {
  const maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
  const serverName = typeof options.tls === 'object' ? options.tls.serverName : undefined;
  return {
    ...CHANNEL,
    'grpc.max_receive_message_length': maxMessageBytes,
    ...(serverName !== undefined && {
      'grpc.ssl_target_name_override': serverName,
      'grpc.default_authority': serverName,
    }),
    ...options.channelOptions,
  };
}
