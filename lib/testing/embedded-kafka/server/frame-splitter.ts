import { MalformedRequestError } from '../wire/wire-reader.js';

const LENGTH_BYTES = 4;
/** Chunks shorter than this are joined, so that a frame sent byte by byte costs no object each. */
const SMALL_CHUNK = 4096;

/**
 * Cuts what a socket delivers into the protocol's frames: each an INT32 length, then so many bytes.
 *
 * Holds no more than has arrived of one frame; a length outside the bounds is refused by its four
 * bytes alone.
 */
export class FrameSplitter {
  #chunks: Buffer[] = [];
  #held = 0;
  /** Of the frame under way; null until its length has arrived. */
  #frameLength: number | null = null;

  constructor(private readonly maxFrameBytes: number) {}

  /**
   * Answers the frames that this chunk completes, without their lengths, as views where possible.
   *
   * @throws MalformedRequestError for a length outside the bounds; nothing can be read after it.
   */
  push(chunk: Buffer): Buffer[] {
    this.#hold(chunk);
    const frames: Buffer[] = [];
    for (let frame = this.#nextFrame(); frame !== null; frame = this.#nextFrame()) {
      frames.push(frame);
    }
    return frames;
  }

  #hold(chunk: Buffer): void {
    this.#held += chunk.length;
    const last = this.#chunks.at(-1);
    if (last !== undefined && last.length < SMALL_CHUNK) {
      this.#chunks[this.#chunks.length - 1] = Buffer.concat([last, chunk]);
    } else {
      this.#chunks.push(chunk);
    }
  }

  #nextFrame(): Buffer | null {
    if (this.#frameLength === null) {
      if (this.#held < LENGTH_BYTES) return null;
      this.#frameLength = this.#checked(this.#take(LENGTH_BYTES).readInt32BE());
    }
    if (this.#held < this.#frameLength) return null;
    const frame = this.#take(this.#frameLength);
    this.#frameLength = null;
    return frame;
  }

  #checked(length: number): number {
    if (length < 0 || length > this.maxFrameBytes) {
      throw new MalformedRequestError(`a request of ${String(length)} bytes`);
    }
    return length;
  }

  #take(bytes: number): Buffer {
    const [first = Buffer.alloc(0)] = this.#chunks;
    const joined = first.length >= bytes ? first : Buffer.concat(this.#chunks);
    const others = first.length >= bytes ? this.#chunks.slice(1) : [];
    const rest = joined.subarray(bytes);
    this.#chunks = rest.length > 0 ? [rest, ...others] : others;
    this.#held -= bytes;
    return joined.subarray(0, bytes);
  }
}
