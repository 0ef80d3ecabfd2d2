import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Controller, Get, Header, ServiceUnavailableException } from '@nestjs/common';
import { ViewNotReadyError } from 'nestjs-kafka-events';

import { DashboardService, type Dashboard } from './dashboard.service.js';

const PAGE = join(import.meta.dirname, 'dashboard.html');

@Controller('dashboard')
export class DashboardController {
  constructor(private readonly dashboard: DashboardService) {}

  @Get()
  @Header('content-type', 'text/html; charset=utf-8')
  page(): Promise<string> {
    return readFile(PAGE, 'utf8');
  }

  @Get('figures')
  async figures(): Promise<Dashboard> {
    try {
      return await this.dashboard.read();
    } catch (error) {
      if (!(error instanceof ViewNotReadyError)) throw error;
      throw new ServiceUnavailableException(error.message, { cause: error });
    }
  }
}
