import { Module } from '@nestjs/common';

import { BillingHandlers } from './billing.handlers.js';
import { PaymentGateway } from './payment-gateway.js';

@Module({ providers: [BillingHandlers, PaymentGateway] })
export class BillingModule {}
