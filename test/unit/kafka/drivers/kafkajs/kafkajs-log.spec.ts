import { describe, expect, it } from '@jest/globals';
import { logLevel } from 'kafkajs';
import { kafkaJsLogCreator } from '../../../../../lib/kafka/drivers/kafkajs/kafkajs-log.js';
import { LogLines } from '../../../../support/kafka-driver.js';

function logged(level: logLevel, message: string, detail: object = {}): string {
  const lines = new LogLines();
  const write = kafkaJsLogCreator(lines.log, ['hunter2', ''])(logLevel.INFO);
  const log = { timestamp: 'now', logger: 'kafkajs', message, ...detail };
  write({ namespace: 'Runner', level, label: 'x', log });
  return lines.text;
}

describe('the log of kafkajs', () => {
  it('is taken down: errors that it will retry are warnings, its chatter is for debugging', () => {
    expect(logged(logLevel.ERROR, 'Failed to send messages')).toBe(
      'warn kafkajs Runner: Failed to send messages {}',
    );
    expect(logged(logLevel.WARN, 'Consumer group received unsubscribed topics')).toMatch(/^warn/);
    expect(logged(logLevel.WARN, 'Response without match')).toMatch(/^debug/);
    expect(logged(logLevel.INFO, 'Pausing fetching from 1 topics')).toMatch(/^debug/);
  });

  it('never shows a password, wherever it stands', () => {
    const circular: { note: string; self?: unknown } = { note: 'hunter2' };
    circular.self = circular;
    const line = logged(logLevel.ERROR, 'refused hunter2', {
      error: new Error('hunter2 is wrong'),
      sasl: { username: 'me', password: 'x' },
      deep: { list: ['a hunter2 b', { authBytes: Buffer.from('hunter2') }] },
      bytes: Buffer.from('hunter2'),
      circular,
      offset: 7,
    });
    expect(line).not.toContain('hunter2');
    expect(line).toContain('refused ***');
    expect(line).toContain('"offset":7');
    expect(line).toContain('"bytes":"7 bytes"');
    expect(line).toContain('"sasl":"***"');
  });
});
