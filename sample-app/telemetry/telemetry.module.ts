import { Module } from '@nestjs/common';

import { ReadingStore } from './reading-store.js';
import { TelemetryHandlers } from './telemetry.handlers.js';

@Module({ providers: [TelemetryHandlers, ReadingStore] })
export class TelemetryModule {}
