/** Tells the process of a mistake that no client can be told about. */
export function warnOf(mistake: unknown): void {
  const { message, stack = '' } = mistake instanceof Error ? mistake : new Error(String(mistake));
  process.emitWarning(message, { type: 'EmbeddedKafkaWarning', detail: stack });
}
