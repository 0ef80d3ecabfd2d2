import { status } from '@grpc/grpc-js';
import { Controller } from '@nestjs/common';
import { GrpcMethod, RpcException } from '@nestjs/microservices';
import { MaterialisedViews } from 'nestjs-kafka-events';

import { availableOf, StockView } from '../inventory/stock-view.js';
import type { StockApi, StockReply, StockRequest } from './stock.contract.js';

/** Answers from what it has read of its topic; a warehouse would ask its database. */
@Controller()
export class StockController implements StockApi {
  constructor(private readonly views: MaterialisedViews) {}

  @GrpcMethod('Stock')
  async getStock({ sku }: StockRequest): Promise<StockReply> {
    const row = await this.views.of(StockView).get(sku);
    // Business refusals have a status of their own: callers must not take them for an outage.
    if (row === null) {
      throw new RpcException({ code: status.NOT_FOUND, message: `there is no product ${sku}` });
    }
    return { sku, available: availableOf(row.value) };
  }
}
