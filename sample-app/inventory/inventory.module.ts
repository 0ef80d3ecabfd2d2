import { Module } from '@nestjs/common';

import { InventoryHandlers } from './inventory.handlers.js';
import { StockLedger } from './stock-ledger.js';

@Module({ providers: [InventoryHandlers, StockLedger] })
export class InventoryModule {}
