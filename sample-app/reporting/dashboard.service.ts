import { Injectable } from '@nestjs/common';
import { KafkaEventsHealth, MaterialisedViews, type ViewStaleness } from 'nestjs-kafka-events';

import { OrdersView, type OrderRow } from './orders-view.js';
import { salesReport, type SalesReport } from './sales-report.js';

export interface Dashboard {
  readonly sales: SalesReport;
  /** How old the figures are. */
  readonly staleness: ViewStaleness;
  readonly kafka: 'up' | 'away';
  /** Other services, with the breaker in front of each. */
  readonly services: readonly { readonly service: string; readonly breaker: string }[];
  /** What an operator should look at. */
  readonly problems: readonly string[];
}

@Injectable()
export class DashboardService {
  constructor(
    private readonly views: MaterialisedViews,
    private readonly health: KafkaEventsHealth,
  ) {}

  /** @throws ViewNotReadyError until the orders were read for the first time. */
  async read(): Promise<Dashboard> {
    const view = this.views.of(OrdersView);
    const rows: OrderRow[] = [];
    for await (const { value } of view.scan({ limit: 1_000 })) rows.push(value);
    const { groups, sync, problems } = this.health.check();
    return {
      sales: salesReport(rows),
      staleness: view.staleness(),
      kafka: groups.every(({ state }) => state === 'running') ? 'up' : 'away',
      services: sync.map(({ service, breaker }) => ({ service, breaker })),
      problems,
    };
  }
}
