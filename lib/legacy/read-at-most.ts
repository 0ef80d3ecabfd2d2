/** The bytes of a response's body, and no more than that into memory; null where there are more. */
export async function readAtMost(response: Response, maxBytes: number): Promise<Buffer | null> {
  const body: ReadableStream<Uint8Array> | null = response.body;
  if (body === null) return Buffer.alloc(0);
  const reader = body.getReader();
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(pieces);
    bytes += value.byteLength;
    if (bytes > maxBytes) {
      await reader.cancel();
      return null;
    }
    pieces.push(value);
  }
}
