import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { gzip as zlibGzip, unzip as zlibUnzip } from 'node:zlib';
import kafkajs, { CompressionTypes } from 'kafkajs';
import { DriverError, toError } from '../../../kafka-events.errors.js';
import type { ConnectionSettings } from '../../connection.js';
import type { DriverLog } from '../../driver.js';

/** The one release this driver is written and tested against. */
const KAFKAJS_VERSION = '2.2.4';

/**
 * Mends kafkajs 2.2.4, for the whole process, in two places. May be called again; does nothing with
 * `patchKafkaJs: false` or on any other release.
 *
 * - Its request queue re-arms a timer every millisecond on every idle connection.
 * - A compressed batch is decompressed without any bound, so that a few kilobytes can take all memory.
 *
 * The bound is process-wide too: of several, the widest holds.
 */
export function patchKafkaJs(
  settings: Pick<ConnectionSettings, 'patchKafkaJs' | 'maxDecompressedBatchBytes'>,
  log: DriverLog,
): void {
  const require = createRequire(import.meta.url);
  const { version } = require('kafkajs/package.json') as { version: string };
  if (version !== KAFKAJS_VERSION) {
    log('warn', `kafkajs is ${version}; this driver was tested with ${KAFKAJS_VERSION} only`);
    return;
  }
  if (!settings.patchKafkaJs) return;
  boundDecompression(settings.maxDecompressedBatchBytes);
  try {
    restIdleTimers(require('kafkajs/src/network/requestQueue/index.js'));
  } catch (error) {
    // Bundled applications have no such file.
    const reason = toError(error).message;
    log('warn', `kafkajs keeps a timer running on idle connections: ${reason}`);
  }
}

const PATCHED = Symbol.for('nestjs-kafka-events.patched');

interface RequestQueue {
  readonly pending: readonly unknown[];
}

interface RequestQueuePrototype {
  scheduleCheckPendingRequests: ((this: RequestQueue) => void) & { [PATCHED]?: true };
}

function restIdleTimers(requestQueue: unknown): void {
  const { prototype } = requestQueue as { prototype: RequestQueuePrototype };
  const schedule = prototype.scheduleCheckPendingRequests;
  if (schedule[PATCHED]) return;
  prototype.scheduleCheckPendingRequests = Object.assign(
    function (this: RequestQueue) {
      // With nothing pending there is nothing to check; the next request asks again.
      if (this.pending.length > 0) schedule.call(this);
    },
    { [PATCHED]: true as const },
  );
}

const gzip = promisify(zlibGzip);
const unzip = promisify<Buffer, { maxOutputLength: number }, Buffer>(zlibUnzip);

/** Reads and writes gzip as kafkajs's own codec does, up to a size. */
class BoundedGzip {
  constructor(public maxBytes: number) {}

  async compress(encoder: { readonly buffer: Buffer }): Promise<Buffer> {
    return gzip(encoder.buffer);
  }

  async decompress(compressed: Buffer): Promise<Buffer> {
    try {
      return await unzip(compressed, { maxOutputLength: this.maxBytes });
    } catch (error) {
      if (!isTooLarge(error)) throw error;
      throw Object.assign(
        new DriverError(
          'fatal',
          `a compressed batch of ${compressed.length} bytes grows beyond ${this.maxBytes} bytes; ` +
            'raise the option "maxDecompressedBatchBytes" if its producer is trusted',
          { cause: error },
        ),
        // Else kafkajs would read and decompress the same batch again, several times.
        { retriable: false },
      );
    }
  }
}

function isTooLarge(error: unknown): boolean {
  const thrown = toError(error);
  return 'code' in thrown && thrown.code === 'ERR_BUFFER_TOO_LARGE';
}

function boundDecompression(maxBytes: number): void {
  const codecs = kafkajs.CompressionCodecs;
  const current: unknown = codecs[CompressionTypes.GZIP]();
  if (current instanceof BoundedGzip) {
    current.maxBytes = Math.max(current.maxBytes, maxBytes);
    return;
  }
  const bounded = new BoundedGzip(maxBytes);
  codecs[CompressionTypes.GZIP] = () => bounded;
}
