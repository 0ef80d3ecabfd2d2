import { Injectable } from '@nestjs/common';

/** The mails sent, in memory; a mail service in a real shop. */
@Injectable()
export class Outbox {
  private readonly mails: string[] = [];

  /** Order ids, one for each mail. */
  get confirmed(): readonly string[] {
    return this.mails;
  }

  sendConfirmation(orderId: string): void {
    this.mails.push(orderId);
  }
}
