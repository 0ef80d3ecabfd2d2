/**
 * The contract of `proto/kafka_events/v1/event_delivery.proto`, in the form that proto-loader takes without
 * reading a file: bundlers leave files behind. A test holds the two against each other.
 */
export const DELIVERY_DESCRIPTOR = {
  nested: {
    kafka_events: {
      nested: {
        v1: {
          nested: {
            EventDelivery: {
              methods: {
                Deliver: {
                  requestType: 'DeliverRequest',
                  responseType: 'DeliverReply',
                  comment: '',
                },
              },
            },
            DeliverRequest: {
              oneofs: { _key: { oneof: ['key'] }, _value: { oneof: ['value'] } },
              fields: {
                topic: { type: 'string', id: 1 },
                key: { type: 'bytes', id: 2, options: { proto3_optional: true } },
                value: { type: 'bytes', id: 3, options: { proto3_optional: true } },
                headers: { rule: 'repeated', type: 'Header', id: 4 },
                timestampMs: { type: 'int64', id: 5 },
              },
            },
            Header: {
              oneofs: { _value: { oneof: ['value'] } },
              fields: {
                name: { type: 'string', id: 1 },
                value: { type: 'bytes', id: 2, options: { proto3_optional: true } },
              },
            },
            DeliverReply: {
              fields: { handlers: { rule: 'repeated', type: 'HandlerOutcome', id: 1 } },
            },
            HandlerOutcome: {
              fields: {
                groupId: { type: 'string', id: 1 },
                handlerId: { type: 'string', id: 2 },
                outcome: { type: 'string', id: 3 },
              },
            },
          },
        },
      },
    },
  },
};
