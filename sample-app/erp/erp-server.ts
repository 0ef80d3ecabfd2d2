import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** An order as the warehouse has written it since the nineties. */
export interface Booking {
  readonly ORDNO: string;
  readonly ARTNO: string;
  readonly QTY: number;
}

/** Goods that came in, numbered from 1 without gaps. */
export interface Delivery {
  readonly DELNO: number;
  readonly ARTNO: string;
  readonly QTY: number;
  /** Of the article, since the beginning. */
  readonly TOTAL: number;
}

export interface ErpSettings {
  /** Of so many bookings the answer to one is lost: it is booked, and the caller hears of a 503. Default 50. */
  readonly losesOneIn?: number;
  /** Whether a booking under a key that it knows is answered as the first time. Default true. */
  readonly honoursKeys?: boolean;
}

type Answer = readonly [status: number, body: unknown];

/**
 * Stands for a system that was there before: it takes orders over HTTP, one by one, and has a list of what came in.
 *
 * `POST /bookings` with an `idempotency-key`, `GET /bookings`, `GET /deliveries?after=17`.
 */
export class ErpServer {
  private readonly bookings: Booking[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly server = createServer(
    (request, response) => void this.answer(request, response),
  );

  private constructor(
    private readonly deliveries: readonly Delivery[],
    private readonly settings: ErpSettings,
  ) {}

  /** On loopback; port 0 is any that is free. */
  static async start(
    port: number,
    deliveries: readonly Delivery[],
    settings: ErpSettings = {},
  ): Promise<ErpServer> {
    const erp = new ErpServer(deliveries, settings);
    erp.server.listen(port, '127.0.0.1');
    await once(erp.server, 'listening');
    return erp;
  }

  get url(): string {
    const { port } = this.server.address() as AddressInfo;
    return `http://127.0.0.1:${port}`;
  }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [status, body] = await this.route(request).catch((error: unknown): Answer => [
      400,
      { error: String(error) },
    ]);
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body));
  }

  private async route(request: IncomingMessage): Promise<Answer> {
    const { method = '', url = '', headers } = request;
    const { pathname, searchParams } = new URL(url, this.url);
    switch (`${method} ${pathname}`) {
      case 'POST /bookings':
        return this.book(JSON.parse(await text(request)) as Booking, headers['idempotency-key']);
      case 'GET /bookings':
        return [200, this.bookings];
      case 'GET /deliveries': {
        const after = Number(searchParams.get('after'));
        return [200, this.deliveries.filter(({ DELNO }) => DELNO > after)];
      }
      default:
        return [404, { error: 'no such page' }];
    }
  }

  private book(booking: Booking, key: string | string[] | undefined): Answer {
    const { losesOneIn = 50, honoursKeys = true } = this.settings;
    if (typeof key !== 'string') return [400, { error: 'an idempotency-key is needed' }];
    const known = this.numbers.get(key);
    if (known !== undefined && honoursKeys) return [201, { number: known }];
    const number = this.bookings.push(booking);
    this.numbers.set(key, number);
    const isLost = known === undefined && this.numbers.size % losesOneIn === 0;
    return isLost ? [503, { error: 'try again' }] : [201, { number }];
  }
}
