export { grpc } from '../fallback/grpc/grpc-transport.js';
export type { GrpcOptions, GrpcTlsOptions } from '../fallback/grpc/grpc-options.js';
export { inheritFrom, type IncomingCall } from '../fallback/grpc/inherit-from.js';
