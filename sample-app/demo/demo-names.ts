/** Names of one run's topics and group: runs share a broker and must not see each other. */
export interface DemoNames {
  readonly prefix: string;
  readonly groupId: string;
  readonly orders: string;
  readonly stock: string;
  readonly telemetry: string;
  /** Those that the shop's views are made of. */
  readonly viewed: string[];
  /** Of orders and stock. */
  readonly deadLetters: readonly string[];
  readonly telemetryDeadLetters: string;
  /** All of the topics. */
  readonly topics: string[];
}

export function demoNames(run: string): DemoNames {
  const prefix = `demo-${run}.`;
  const orders = `${prefix}orders`;
  const stock = `${prefix}stock`;
  const telemetry = `${prefix}telemetry`;
  const telemetryDeadLetters = `${telemetry}.dlq`;
  const deadLetters = [`${orders}.dlq`, `${stock}.dlq`];
  const topics = [orders, stock, telemetry, ...deadLetters, telemetryDeadLetters];
  return {
    ...{ prefix, groupId: `${prefix}shop`, topics, viewed: [orders, stock] },
    ...{ orders, stock, deadLetters, telemetry, telemetryDeadLetters },
  };
}
