import { Module } from '@nestjs/common';

import { NotificationsHandlers } from './notifications.handlers.js';
import { Outbox } from './outbox.js';

@Module({ providers: [NotificationsHandlers, Outbox] })
export class NotificationsModule {}
