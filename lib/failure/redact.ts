const REDACTED = '[redacted]';

/** What is longer is cut before it is searched: a text is of no more use, and searching it takes time. */
const MAX_LENGTH = 32 * 1024;

/** `DB_PASSWORD=…`, `"refreshToken": "…"`, `Authorization: Bearer …`, `scheme://user:secret@host`. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [
    /(pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|access[-_]?key)([\w-]{0,32}["']?\s{0,8}[:=]\s{0,8})("[^"]*"|'[^']*'|[^\s,;&}\]]+)/gi,
    `$1$2${REDACTED}`,
  ],
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${REDACTED}`],
  [/(:\/\/[^\s:/@]{0,256}:)[^\s@/]{1,1024}@/g, `$1${REDACTED}@`],
];

/** The default redactor: takes what looks like a credential out of a text. */
export function redactSecrets(text: string): string {
  return SECRETS.reduce(
    (clean, [pattern, replacement]) => clean.replace(pattern, replacement),
    text.slice(0, MAX_LENGTH),
  );
}

/** What may be shown of an error; null for none. */
export function redacted(error: Error | null, redact: (text: string) => string): string | null {
  return error === null ? null : redact(error.message);
}

/** A redactor that never throws: a text it cannot clean is not shown at all. */
export function safeRedactor(redact: (text: string) => string): (text: string) => string {
  return (text) => {
    try {
      return redact(text);
    } catch {
      return '[not shown: the redactor failed]';
    }
  };
}
