import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { gzip as zlibGzip, unzip as zlibUnzip } from 'node:zlib';
import kafkajs, { CompressionTypes } from 'kafkajs';
import { systemClock } from '../../../contracts/clock.js';
import { DriverError, toError } from '../../../kafka-events.errors.js';
import type { ConnectionSettings } from '../../connection.js';
import type { DriverLog } from '../../driver.js';

/** The one release this driver is written and tested against. */
const KAFKAJS_VERSION = '2.2.4';

/**
 * Mends kafkajs 2.2.4, for the whole process, in three places. May be called again; does nothing with
 * `patchKafkaJs: false` or on any other release.
 *
 * - Its request queue re-arms a timer every millisecond on every idle connection.
 * - A compressed batch is decompressed without any bound, so that a few kilobytes can take all memory.
 * - Where the time of day is set back by an hour it sends no heartbeat for an hour.
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
  // Bundled applications have no such files.
  const mend = (file: string, by: (module: unknown) => void, otherwise: string): void => {
    try {
      by(require(`kafkajs/src/${file}`));
    } catch (error) {
      log('warn', `kafkajs ${otherwise}: ${toError(error).message}`);
    }
  };
  mend(
    'network/requestQueue/index.js',
    restIdleTimers,
    'keeps a timer running on idle connections',
  );
  mend(
    'consumer/consumerGroup.js',
    beatOn,
    'sends no heartbeats where the time of day was set back',
  );
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

interface ConsumerGroupPrototype {
  heartbeat: ((this: ConsumerGroup, options: object) => Promise<void>) & { [PATCHED]?: true };
}

interface ConsumerGroup {
  /** When it sent the latest one, in milliseconds since the Unix epoch. */
  lastRequest: number;
}

function beatOn(consumerGroup: unknown): void {
  const { prototype } = consumerGroup as { prototype: ConsumerGroupPrototype };
  const { heartbeat } = prototype;
  if (heartbeat[PATCHED]) return;
  prototype.heartbeat = Object.assign(
    function (this: ConsumerGroup, options: object) {
      // From a time that has yet to come, because that was set back: it would wait for it.
      if (this.lastRequest > systemClock.wallTime().getTime()) this.lastRequest = 0;
      return heartbeat.call(this, options);
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
