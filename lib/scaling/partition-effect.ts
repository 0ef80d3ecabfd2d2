import { movedKeys } from '../kafka/partitioner.js';

/** What a change of a topic's partition count does to the order of its keys. */
export interface PartitionEffect {
  readonly from: number;
  readonly to: number;
  /** Share of the keys whose new records go to another partition than those they have there. */
  readonly movedKeys: number;
  /** What follows from it and how to go about it, in sentences. */
  readonly consequences: readonly string[];
}

/** The effect on keys that are placed by their hash, as `EventPublisher` and Kafka's own clients do. */
export function effectOfAdding(from: number, to: number): PartitionEffect {
  const moved = movedKeys(from, to);
  if (moved === 0) return { from, to, movedKeys: 0, consequences: ['No key moves.'] };
  return {
    from,
    to,
    movedKeys: moved,
    consequences: [
      `${percent(moved)} of the keys move to another partition: a key's partition is its hash modulo the count.`,
      "Until what the old partitions hold is handled, records of one key are in two of them, and are handled side by side: the key's order is lost for that time.",
      'To keep it: stop the producers, wait until the lag is 0, add the partitions, start the producers again, which must have learnt of them. Or have them write to a new topic, and move its consumers there once the old one is drained.',
      'Producers notice new partitions one by one, within their metadata age: a rolling addition under load has both counts in use at once.',
      'Partitions cannot be taken away again.',
    ],
  };
}

export function percent(share: number): string {
  return `${String(Math.round(share * 100))} %`;
}
