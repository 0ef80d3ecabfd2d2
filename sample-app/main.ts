import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';

import { AppModule } from './app.module.js';

const app = await NestFactory.create(AppModule);
// On SIGTERM handlers finish and offsets are committed before the process ends.
app.enableShutdownHooks();
await app.listen(process.env.PORT ?? 3000);
