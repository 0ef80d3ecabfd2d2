import { join } from 'node:path';

/** Where the contract is, for the side that answers and the side that asks. */
export const STOCK_CONTRACT = {
  protoPath: join(import.meta.dirname, 'stock.proto'),
  package: 'shop.stock.v1',
};

/** What `stock.proto` says, in TypeScript. */
export interface StockApi {
  getStock(request: StockRequest): Promise<StockReply>;
}

export interface StockRequest {
  readonly sku: string;
}

export interface StockReply {
  readonly sku: string;
  /** Below zero where more was promised than there is. */
  readonly available: number;
}
