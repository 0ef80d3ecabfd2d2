import { logLevel, type LogEntry, type logCreator } from 'kafkajs';
import type { DriverLog } from '../../driver.js';

type Level = Parameters<DriverLog>[0];

/**
 * Warnings that say nothing to an operator: what they announce is normal here, or is reported by
 * the driver itself.
 */
const CHATTER = [
  'Response without match',
  'Limiting retries for the idempotent producer',
  'The group is rebalancing, re-joining',
  // Each of these is retried; when it fails for good, the driver says so once.
  'Connection error',
  'Failed to connect to seed broker',
  'The group coordinator is not available',
  'Topic creation errors',
];

/** Of a log entry, what is not a detail. */
const FRAME = new Set(['message', 'timestamp', 'logger']);

/** Takes kafkajs's log lines down a level and strips the secrets before they go to `log`. */
export function kafkaJsLogCreator(log: DriverLog, secrets: readonly string[]): logCreator {
  const strip = secretStripper(secrets);
  return () => (entry: LogEntry) => {
    const { message } = entry.log;
    const detail = Object.entries(entry.log).filter(([name]) => !FRAME.has(name));
    log(
      levelOf(entry.level, message),
      `kafkajs ${entry.namespace}: ${strip(message)}`,
      stripAll(Object.fromEntries(detail), strip),
    );
  };
}

// kafkajs logs as errors what it then retries; what fails for good reaches us as an error thrown.
function levelOf(level: logLevel, message: string): Level {
  if (level > logLevel.WARN) return 'debug';
  return CHATTER.some((start) => message.startsWith(start)) ? 'debug' : 'warn';
}

type Strip = (text: string) => string;

function secretStripper(secrets: readonly string[]): Strip {
  const shown = secrets.filter((secret) => secret !== '');
  return (text) => shown.reduce((rest, secret) => rest.replaceAll(secret, '***'), text);
}

const SECRET_NAME = /password|secret|token|sasl|authbytes/i;
const MAX_DEPTH = 4;

function stripAll(detail: object, strip: Strip, depth = 0): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(detail).map(([name, value]) => [
      name,
      SECRET_NAME.test(name) ? '***' : stripValue(value, strip, depth),
    ]),
  );
}

function stripValue(value: unknown, strip: Strip, depth: number): unknown {
  if (typeof value === 'string') return strip(value);
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if ('message' in value) return strip(String(value.message));
  if (depth === MAX_DEPTH) return '…';
  if (Array.isArray(value)) return value.map((item) => stripValue(item, strip, depth + 1));
  return stripAll(value, strip, depth + 1);
}
