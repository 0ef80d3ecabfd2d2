/** Bytes that are not what the protocol says: the connection is closed. */
export class MalformedRequestError extends Error {
  override readonly name = 'MalformedRequestError';
}

/**
 * Reads the protocol's primitive types, non-flexible encodings, from one request.
 *
 * Every length is checked against the bytes that are there before anything is allocated.
 *
 * @throws MalformedRequestError from every method that runs past the end or meets an absurd length.
 * @see https://kafka.apache.org/protocol#protocol_types
 */
export class WireReader {
  #at = 0;

  constructor(private readonly bytes: Buffer) {}

  get remaining(): number {
    return this.bytes.length - this.#at;
  }

  boolean(): boolean {
    return this.int8() !== 0;
  }
  int8(): number {
    return this.bytes.readInt8(this.#take(1));
  }
  int16(): number {
    return this.bytes.readInt16BE(this.#take(2));
  }
  int32(): number {
    return this.bytes.readInt32BE(this.#take(4));
  }
  int64(): bigint {
    return this.bytes.readBigInt64BE(this.#take(8));
  }

  string(): string {
    const text = this.nullableString();
    if (text === null) throw new MalformedRequestError('a string that may not be null is null');
    return text;
  }
  nullableString(): string | null {
    const length = this.int16();
    return length < 0 ? null : this.#slice(length).toString();
  }

  bytesField(): Buffer {
    return this.nullableBytes() ?? Buffer.alloc(0);
  }
  /** A view of the request's bytes, not a copy. */
  nullableBytes(): Buffer | null {
    const length = this.int32();
    return length < 0 ? null : this.#slice(length);
  }

  array<T>(readElement: () => T): T[] {
    return this.nullableArray(readElement) ?? [];
  }
  nullableArray<T>(readElement: () => T): T[] | null {
    const length = this.int32();
    if (length < 0) return null;
    // No element is shorter than a byte: a longer array cannot be in what is left.
    if (length > this.remaining) {
      throw new MalformedRequestError(
        `an array of ${String(length)} in ${String(this.remaining)} bytes`,
      );
    }
    return Array.from({ length }, readElement);
  }

  #slice(length: number): Buffer {
    const from = this.#take(length);
    return this.bytes.subarray(from, from + length);
  }

  #take(length: number): number {
    if (length > this.remaining) {
      throw new MalformedRequestError(
        `${String(length)} bytes are announced where ${String(this.remaining)} are left`,
      );
    }
    const from = this.#at;
    this.#at += length;
    return from;
  }
}
