/** What the environment says; `undefined` where a variable is absent or empty. */
export interface Environment {
  readonly brokers: readonly string[] | undefined;
  readonly clientId: string | undefined;
  readonly groupId: string | undefined;
  readonly ssl: string | undefined;
  readonly saslMechanism: string | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** True where losing what a process remembers costs nobody anything. */
  readonly isDevelopmentOrTest: boolean;
}

/** Reads the variables that the module knows; checks none of them. */
export function readEnvironment(env: NodeJS.ProcessEnv): Environment {
  const mode = env.NODE_ENV;
  return {
    brokers: listOf(textOf(env.KAFKA_BROKERS)),
    clientId: textOf(env.KAFKA_CLIENT_ID),
    groupId: textOf(env.KAFKA_GROUP_ID),
    ssl: textOf(env.KAFKA_SSL)?.toLowerCase(),
    saslMechanism: textOf(env.KAFKA_SASL_MECHANISM)?.toLowerCase(),
    user: textOf(env.KAFKA_USER),
    // Not trimmed: blanks may be part of a password.
    password: env.KAFKA_PASS === '' ? undefined : env.KAFKA_PASS,
    isDevelopmentOrTest: mode === 'development' || mode === 'test',
  };
}

function textOf(value: string | undefined): string | undefined {
  const text = value?.trim();
  return text === '' ? undefined : text;
}

/** Commas at the end, or doubled, are forgiven. */
function listOf(text: string | undefined): readonly string[] | undefined {
  const items = text?.split(',').flatMap((item) => textOf(item) ?? []);
  return items?.length === 0 ? undefined : items;
}
