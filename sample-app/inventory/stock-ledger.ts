import { Injectable } from '@nestjs/common';

export interface Reservation {
  readonly orderId: string;
  readonly sku: string;
  readonly quantity: number;
}

/**
 * The stock set aside, in memory; a table in a real shop.
 *
 * It takes every reservation it is given, also a second one for the same order: being called once
 * per order is what it trusts the event handler for.
 */
@Injectable()
export class StockLedger {
  private readonly entries: Reservation[] = [];

  get reservations(): readonly Reservation[] {
    return this.entries;
  }

  reserve(reservation: Reservation): void {
    this.entries.push(reservation);
  }
}
