import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FrameSplitter } from '../../../../lib/testing/embedded-kafka/server/frame-splitter.js';

const LIMIT = 20_000;

describe('FrameSplitter', () => {
  it('gives back the frames that were sent, however they are cut on their way', () => {
    const frames = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 10 });
    const cuts = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 });
    fc.assert(
      fc.property(frames, cuts, (sent, sizes) => {
        const bytes = Buffer.concat(sent.map(framed));
        expect(received(bytes, sizes)).toEqual(sent.map((frame) => Buffer.from(frame)));
      }),
    );
  });

  it('puts a long frame together from large and small chunks', () => {
    const frame = Buffer.from(Array.from({ length: LIMIT }, (_, i) => i % 251));
    for (const sizes of [[1], [5000], [5000, 1, 4096]]) {
      expect(received(framed(frame), sizes)).toEqual([frame]);
    }
  });

  it.each([-1, LIMIT + 1, 0x7fffffff, -0x80000000])('refuses a length of %i at once', (length) => {
    const splitter = new FrameSplitter(LIMIT);
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(length);
    expect(splitter.push(bytes.subarray(0, 3))).toEqual([]);
    expect(() => splitter.push(bytes.subarray(3))).toThrow(`a request of ${String(length)} bytes`);
  });
});

function framed(frame: Uint8Array): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(frame.length);
  return Buffer.concat([length, frame]);
}

/** What comes out when the bytes come in chunks of these sizes, in turn. */
function received(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const splitter = new FrameSplitter(LIMIT);
  const frames: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const end = at + (sizes[i % sizes.length] ?? 1);
    frames.push(...splitter.push(bytes.subarray(at, end)));
    at = end;
  }
  return frames.map((frame) => Buffer.from(frame));
}
