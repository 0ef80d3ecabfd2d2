import { ErpServer } from './erp-server.js';

const PRODUCTS = 40;

const deliveries = Array.from({ length: PRODUCTS }, (_, i) => ({
  ...{ DELNO: i + 1, ARTNO: `sku-${String(i)}`, QTY: 1_000, TOTAL: 1_000 },
}));
const erp = await ErpServer.start(Number(process.env.ERP_PORT ?? 5001), deliveries);
console.log(`the ERP listens at ${erp.url}`);
