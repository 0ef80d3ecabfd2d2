import { Module } from '@nestjs/common';

import { ErpBookings } from './erp-bookings.js';

@Module({ providers: [ErpBookings] })
export class LegacyModule {}
