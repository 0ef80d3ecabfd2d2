import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { loadPackageDefinition, Server, ServerCredentials, status } from '@grpc/grpc-js';
import type { sendUnaryData, ServerUnaryCall, ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/**
 * An inventory that behaves as it is told, a word a line: `ok`, `hang`, `slow <ms>`, `fail <STATUS>`,
 * `flap` (every other call fails), `large <bytes>`.
 *
 * Arguments: port (0 for any), and for TLS a file with key and certificate, and for mTLS one with the
 * authority of clients.
 */
interface StockRequest {
  readonly sku: string;
}

interface Reply {
  readonly sku: string;
  readonly available: number;
  readonly seen: string;
  readonly padding: Buffer;
}

const [port = '0', keyStore, clientCa] = process.argv.slice(2);
let mode: readonly string[] = ['ok'];
let calls = 0;

const contract = loadSync('test/support/inventory.proto', { longs: String, defaults: true });
const { shop } = loadPackageDefinition(contract) as unknown as {
  shop: { inventory: { v1: { Inventory: ServiceClientConstructor } } };
};

function answer(call: ServerUnaryCall<StockRequest, Reply>, callback: sendUnaryData<Reply>): void {
  calls++;
  console.log('called');
  call.once('cancelled', () => {
    console.log('cancelled');
  });
  const [what = '', how = ''] = mode;
  const reply = (bytes = 0): void => {
    callback(null, {
      sku: call.request.sku,
      available: 7,
      seen: JSON.stringify({
        metadata: call.metadata.getMap(),
        leftMs: Number(call.getDeadline()) - Date.now(),
        peer: call.getAuthContext().sslPeerCertificate?.subject,
      }),
      padding: Buffer.alloc(bytes),
    });
  };
  const fail = (code: keyof typeof status): void => {
    callback({ code: status[code], details: `told to fail, call ${calls}` });
  };
  if (what === 'hang') return;
  if (what === 'slow') setTimeout(reply, Number(how));
  else if (what === 'fail') fail(how as keyof typeof status);
  else if (what === 'flap' && calls % 2 === 0) fail('UNAVAILABLE');
  else if (what === 'large') reply(Number(how));
  else reply();
}

const server = new Server();
server.addService(shop.inventory.v1.Inventory.service, {
  getStock: answer,
  reserve: answer,
});
const pem = (file: string) => readFileSync(file);
const credentials =
  keyStore === undefined
    ? ServerCredentials.createInsecure()
    : ServerCredentials.createSsl(
        clientCa === undefined ? null : pem(clientCa),
        [{ private_key: pem(keyStore), cert_chain: pem(keyStore) }],
        clientCa !== undefined,
      );
server.bindAsync(`127.0.0.1:${port}`, credentials, (error, bound) => {
  if (error !== null) throw error;
  console.log(`listening ${bound}`);
});

createInterface({ input: process.stdin })
  .on('line', (line) => {
    mode = line.split(' ');
    console.log(`is ${line}`);
  })
  // Whoever started it is gone.
  .on('close', () => process.exit());
