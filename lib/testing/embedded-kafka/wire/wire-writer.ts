const FIRST_CAPACITY = 256;
/** Longer bytes are sent as they are, without being copied into the answer's buffer. */
const COPY_UP_TO = 1024;

/**
 * Writes the protocol's primitive types, non-flexible encodings. Every method answers the writer.
 *
 * @see https://kafka.apache.org/protocol#protocol_types
 */
export class WireWriter {
  readonly #chunks: Buffer[] = [];
  #chunkBytes = 0;
  #current = Buffer.allocUnsafe(FIRST_CAPACITY);
  #at = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#chunkBytes + this.#at;
  }

  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }
  int8(value: number): this {
    const at = this.#reserve(1);
    this.#current.writeInt8(value, at);
    return this;
  }
  int16(value: number): this {
    const at = this.#reserve(2);
    this.#current.writeInt16BE(value, at);
    return this;
  }
  int32(value: number): this {
    const at = this.#reserve(4);
    this.#current.writeInt32BE(value, at);
    return this;
  }
  int64(value: bigint): this {
    const at = this.#reserve(8);
    this.#current.writeBigInt64BE(value, at);
    return this;
  }

  string(value: string | null): this {
    if (value === null) return this.int16(-1);
    const bytes = Buffer.from(value);
    return this.int16(bytes.length).raw(bytes);
  }
  bytes(value: Buffer | null): this {
    return value === null ? this.int32(-1) : this.int32(value.length).raw(value);
  }
  array<T>(values: readonly T[] | null, writeElement: (value: T) => void): this {
    if (values === null) return this.int32(-1);
    this.int32(values.length);
    for (const value of values) writeElement(value);
    return this;
  }

  /** Bytes without a length; long ones are not copied and must not change until they are sent. */
  raw(value: Buffer): this {
    if (value.length <= COPY_UP_TO) {
      const at = this.#reserve(value.length);
      value.copy(this.#current, at);
      return this;
    }
    this.#cut();
    this.#chunks.push(value);
    this.#chunkBytes += value.length;
    return this;
  }

  /** What was written, in order. */
  toBuffers(): readonly Buffer[] {
    this.#cut();
    return this.#chunks;
  }

  #reserve(bytes: number): number {
    if (this.#at + bytes > this.#current.length) {
      this.#cut();
      this.#current = Buffer.allocUnsafe(Math.max(bytes, FIRST_CAPACITY * 8));
    }
    const at = this.#at;
    this.#at += bytes;
    return at;
  }

  #cut(): void {
    if (this.#at === 0) return;
    this.#chunks.push(this.#current.subarray(0, this.#at));
    this.#chunkBytes += this.#at;
    this.#current = this.#current.subarray(this.#at);
    this.#at = 0;
  }
}
