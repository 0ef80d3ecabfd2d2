import { freePorts } from './free-ports.js';
import { HOST, KafkaNode, type KafkaProperties } from './kafka-node.js';
import { TcpProxy } from './tcp-proxy.js';

const NODE_IDS = [1, 2, 3] as const;
const HEAP_MB = 384;

/** A client's own way to the cluster: what happens to it happens to nobody else. */
export interface ClusterClient {
  /** Addresses for its bootstrap. What brokers tell it about each other leads through its links, too. */
  readonly brokers: string[];
  /** One for each node, in the order of `nodes`. */
  readonly links: readonly TcpProxy[];
}

/**
 * A real Apache Kafka of three nodes, each broker and controller in a process of its own: topics
 * have three replicas and take a write when two of them have it.
 *
 * Every client named at the start has a listener of its own on each node, advertised at the address
 * of a proxy in this process; so its network can be taken away without touching another's.
 */
export class KafkaCluster {
  private constructor(
    readonly nodes: readonly KafkaNode[],
    /** Straight to the nodes, for those who watch. */
    readonly brokers: string[],
    private readonly clients: ReadonlyMap<string, ClusterClient>,
  ) {}

  /** Starts three nodes and waits until all of them answer; throws as `KafkaBroker.start` does. */
  static async start(clientNames: readonly string[]): Promise<KafkaCluster> {
    const plans = await planNodes(clientNames);
    const directories = await Promise.all(plans.map(() => KafkaNode.createDirectory()));
    const nodes = await Promise.all(
      plans.map((plan, i) => KafkaNode.prepare(directories[i] ?? '', { ...plan, heapMb: HEAP_MB })),
    );
    const clients = new Map<string, ClusterClient>();
    for (const [at, name] of clientNames.entries()) {
      const routes = plans.map((plan) => plan.routes[at] ?? NOWHERE);
      const links = await Promise.all(routes.map((route) => TcpProxy.listen(route)));
      clients.set(name, { links, brokers: links.map(({ port }) => `${HOST}:${port}`) });
    }
    const brokers = plans.map(({ port }) => `${HOST}:${port}`);
    const cluster = new KafkaCluster(nodes, brokers, clients);
    // Together: one alone has no quorum.
    const boots = await Promise.allSettled(nodes.map((node) => node.boot()));
    const failed = boots.find((boot) => boot.status === 'rejected');
    if (failed === undefined) return cluster;
    await cluster.stop();
    throw failed.reason;
  }

  client(name: string): ClusterClient {
    const client = this.clients.get(name);
    if (client === undefined) throw new Error(`This cluster was started without a client ${name}`);
    return client;
  }

  /** All links of all clients to one node. */
  linksTo(node: KafkaNode): TcpProxy[] {
    const at = this.nodes.indexOf(node);
    return this.links.filter((_, i) => i % this.nodes.length === at);
  }

  get links(): TcpProxy[] {
    return [...this.clients.values()].flatMap(({ links }) => links);
  }

  /** Ends all processes and removes their data. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()));
    await Promise.all(this.links.map((link) => link.close()));
  }
}

interface Route {
  readonly port: number;
  readonly target: number;
}

const NOWHERE: Route = { port: 0, target: 0 };

interface NodePlan {
  readonly nodeId: number;
  readonly port: number;
  readonly properties: KafkaProperties;
  /** By client: where its proxy listens, and where the node does. */
  readonly routes: readonly Route[];
}

async function planNodes(clientNames: readonly string[]): Promise<NodePlan[]> {
  const perNode = 2 + 2 * clientNames.length;
  const ports = await freePorts(NODE_IDS.length * perNode);
  const planned = NODE_IDS.map((nodeId, i) => {
    const [port = 0, controllerPort = 0, ...rest] = ports.slice(i * perNode, (i + 1) * perNode);
    const routes = clientNames.map((_, at) => ({
      port: rest[2 * at] ?? 0,
      target: rest[2 * at + 1] ?? 0,
    }));
    return { nodeId, port, controllerPort, routes };
  });
  const voters = planned.map(({ nodeId, controllerPort }) => `${nodeId}@${HOST}:${controllerPort}`);

  return planned.map(({ nodeId, port, controllerPort, routes }) => {
    const ofClients = (portOf: (route: Route) => number) =>
      routes.map((route, at) => `CLIENT${at}://${HOST}:${portOf(route)}`);
    const names = ['DIRECT', 'CONTROLLER', ...routes.map((_, at) => `CLIENT${at}`)];
    const properties = {
      ...REPLICATED,
      'node.id': String(nodeId),
      'controller.quorum.voters': voters.join(','),
      'controller.listener.names': 'CONTROLLER',
      'inter.broker.listener.name': 'DIRECT',
      'listener.security.protocol.map': names.map((name) => `${name}:PLAINTEXT`).join(','),
      listeners: [
        `DIRECT://${HOST}:${port}`,
        `CONTROLLER://${HOST}:${controllerPort}`,
        ...ofClients(({ target }) => target),
      ].join(','),
      'advertised.listeners': [
        `DIRECT://${HOST}:${port}`,
        ...ofClients((route) => route.port),
      ].join(','),
    };
    return { nodeId, port, properties, routes };
  });
}

const REPLICATED: KafkaProperties = {
  'default.replication.factor': '3',
  'min.insync.replicas': '2',
  'offsets.topic.replication.factor': '3',
  'transaction.state.log.replication.factor': '3',
  'transaction.state.log.min.isr': '2',
  'share.coordinator.state.topic.replication.factor': '3',
  'share.coordinator.state.topic.min.isr': '2',
  // Leaders go where the first replica is, soon after that has changed or come back.
  'leader.imbalance.check.interval.seconds': '1',
  'leader.imbalance.per.broker.percentage': '0',
  // One for each listener, and there are many.
  'num.network.threads': '1',
};
