import type { KafkaDriver } from '../kafka/driver.js';

/** A driver whose consumers keep their positions to themselves: each start is their first. */
export function withoutCommits(driver: KafkaDriver): KafkaDriver {
  return {
    name: driver.name,
    producer: () => driver.producer(),
    admin: () => driver.admin(),
    consumer: (config) => {
      const consumer = driver.consumer(config);
      return {
        start: (hooks) => consumer.start(hooks),
        pause: (partition) => {
          consumer.pause(partition);
        },
        resume: (partition) => {
          consumer.resume(partition);
        },
        commit: (items) => Promise.resolve(items),
        quiesce: () => {
          consumer.quiesce();
        },
        stop: (deadlineMs) => consumer.stop(deadlineMs),
      };
    },
  };
}
