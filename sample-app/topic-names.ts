/** Topics and groups of an environment of several that share a Kafka: `TOPIC_PREFIX=staging.` */
export function inEnvironment(name: string): string {
  return `${process.env.TOPIC_PREFIX ?? ''}${name}`;
}
