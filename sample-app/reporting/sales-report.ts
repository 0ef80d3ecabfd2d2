import type { OrderRow } from './orders-view.js';

export interface Sales {
  readonly orders: number;
  readonly units: number;
  readonly cents: number;
}

export interface SalesReport extends Sales {
  /** Waiting for stock to be set aside. */
  readonly open: number;
  /** Sold while nobody could tell whether there is enough. */
  readonly subjectToStock: number;
  /** By product, the best sold one first. */
  readonly products: readonly (Sales & { readonly sku: string })[];
  /** By hour, in UTC, the latest first. */
  readonly hours: readonly (Sales & { readonly hour: string })[];
}

const NONE: Sales = { orders: 0, units: 0, cents: 0 };

/** Adds up what was ordered. */
export function salesReport(rows: readonly OrderRow[]): SalesReport {
  const products = new Map<string, Sales>();
  const hours = new Map<string, Sales>();
  let [all, open, subjectToStock] = [NONE, 0, 0];
  for (const row of rows) {
    if (row.placedAt === null) continue;
    all = plus(all, row);
    if (!row.reserved) open++;
    if (row.subjectToStock) subjectToStock++;
    products.set(row.sku, plus(products.get(row.sku), row));
    const hour = `${row.placedAt.slice(0, 'yyyy-mm-ddThh'.length)}:00Z`;
    hours.set(hour, plus(hours.get(hour), row));
  }
  return {
    ...{ ...all, open, subjectToStock },
    products: [...products]
      .map(([sku, sales]) => ({ sku, ...sales }))
      .sort((a, b) => b.cents - a.cents || a.sku.localeCompare(b.sku)),
    hours: [...hours]
      .map(([hour, sales]) => ({ hour, ...sales }))
      .sort((a, b) => b.hour.localeCompare(a.hour)),
  };
}

function plus({ orders, units, cents }: Sales = NONE, row: OrderRow): Sales {
  return { orders: orders + 1, units: units + row.quantity, cents: cents + row.totalCents };
}
