import type { ProducerOptions, ProducerSettings } from '../kafka-events.options.js';
import { DEFAULTS } from './defaults.js';
import { BYTES, COUNT, DURATION_MS, MEMORY_BYTES } from './option-ranges.js';
import { onlyGiven, type OptionSection } from './option-section.js';

export function readProducer(section: OptionSection<ProducerOptions>): ProducerSettings {
  const producer = {
    ...DEFAULTS.producer,
    ...onlyGiven({
      maxRecordBytes: section.integer('maxRecordBytes', BYTES),
      deadlineMs: section.integer('deadlineMs', DURATION_MS),
      maxBufferedEvents: section.integer('maxBufferedEvents', COUNT),
      maxBufferedBytes: section.integer('maxBufferedBytes', MEMORY_BYTES),
      onBufferFull: section.oneOf('onBufferFull', ['wait', 'fail']),
      maxBatchRecords: section.integer('maxBatchRecords', COUNT),
    }),
  };
  const { maxRecordBytes, maxBufferedBytes } = producer;
  const sizes = ['maxRecordBytes', 'maxBufferedBytes'].map((name) => section.pathOf(name));
  if (maxBufferedBytes < maxRecordBytes && !section.problems.concern(...sizes)) {
    section.refuse(
      'maxBufferedBytes',
      `must hold the largest record, maxRecordBytes (${String(maxRecordBytes)}), got ${String(maxBufferedBytes)}`,
    );
  }
  return producer;
}
