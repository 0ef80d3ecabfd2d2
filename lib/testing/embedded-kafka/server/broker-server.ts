import type { Socket } from 'node:net';
import type { BrokerNode, Cluster } from '../state/cluster.js';
import { Listener } from './listener.js';
import type { ListenerSettings } from './listener-settings.js';
import type { RequestDispatcher } from './request-dispatcher.js';
import { openSession } from './session.js';

export interface BrokerServerOptions {
  readonly cluster: Cluster;
  readonly node: BrokerNode;
  readonly dispatcher: RequestDispatcher;
  readonly listeners: readonly ListenerSettings[];
  /** Of the first listener; 0 for a free one. */
  readonly port: number;
  readonly maxRequestBytes: number;
}

/** One broker of the cluster: its ports, which stay the same when it is stopped and started again. */
export class BrokerServer {
  #open: Listener[] = [];

  constructor(private readonly options: BrokerServerOptions) {}

  /** Rejects when a port is taken; what was opened until then is closed by `stop`. */
  async start(): Promise<void> {
    const { node, listeners, port } = this.options;
    const opening = listeners.map(async (settings, i) => {
      const listener = this.#listener(settings);
      this.#open.push(listener);
      const wanted = node.endpoints.get(settings.name)?.port ?? (i === 0 ? port : 0);
      node.endpoints.set(settings.name, await listener.open(wanted));
    });
    // All are awaited: a port that opens after the failure of another one could not be closed.
    const outcomes = await Promise.allSettled(opening);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }

  unref(): void {
    for (const listener of this.#open) listener.unref();
  }

  async stop(): Promise<void> {
    const open = this.#open;
    this.#open = [];
    await Promise.all(open.map((listener) => listener.close()));
  }

  #listener(settings: ListenerSettings): Listener {
    const { cluster, node, dispatcher, maxRequestBytes } = this.options;
    return new Listener({
      settings,
      maxRequestBytes,
      connected: (socket: Socket) => {
        const client = {
          cluster,
          nodeId: node.nodeId,
          listener: settings.name,
          clientHost: socket.remoteAddress ?? '',
          session: openSession(settings.sasl),
        };
        return (frame, signal) => dispatcher.reply(frame, { ...client, signal });
      },
    });
  }
}
