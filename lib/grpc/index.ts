export { grpc } from '../fallback/grpc/grpc-transport.js';
export type { GrpcOptions, GrpcTlsOptions } from '../fallback/grpc/grpc-options.js';
export { inheritFrom, type IncomingCall } from '../fallback/grpc/inherit-from.js';
export { deliverTo, type EventDeliveryTarget } from '../fallback/delivery/event-delivery-target.js';
export type {
  DeliveryTargetOptions,
  DeliveryTargetTls,
} from '../fallback/delivery/event-delivery-target.js';
export {
  eventDelivery,
  type DeliveryPeer,
  type DeliveryTlsOptions,
  type EventDeliveryOptions,
  type EventDeliveryServer,
} from '../fallback/delivery/event-delivery-server.js';
