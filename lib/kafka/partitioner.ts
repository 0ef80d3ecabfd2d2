/**
 * The partition of a key as the Java client's default partitioner has it, so that producers in any
 * language agree where an aggregate lives.
 */
export function partitionOfKey(key: Buffer, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

/** The share of keys that `partitionOfKey` places elsewhere once there are `to` partitions instead of `from`. */
export function movedKeys(from: number, to: number): number {
  // A hash keeps its partition when both remainders are equal: so many do in each common multiple.
  return 1 - Math.min(from, to) / leastCommonMultiple(from, to);
}

function leastCommonMultiple(a: number, b: number): number {
  let [divisor, rest] = [a, b];
  while (rest > 0) [divisor, rest] = [rest, divisor % rest];
  return (a / divisor) * b;
}

const SEED = 0x9747b28c;
const M = 0x5bd1e995;
const R = 24;

/** MurmurHash2 in 32 signed bits, with the seed Kafka uses (`org.apache.kafka.common.utils.Utils`). */
export function murmur2(data: Buffer): number {
  const { length } = data;
  let hash = SEED ^ length;
  let at = 0;

  for (; length - at >= 4; at += 4) {
    let word = Math.imul(data.readInt32LE(at), M);
    word = Math.imul(word ^ (word >>> R), M);
    hash = Math.imul(hash, M) ^ word;
  }
  if (at < length) {
    hash = Math.imul(hash ^ data.readUIntLE(at, length - at), M);
  }

  hash = Math.imul(hash ^ (hash >>> 13), M);
  return hash ^ (hash >>> 15);
}
