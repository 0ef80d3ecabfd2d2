const REDACTED = '[redacted]';

/** `password=…`, `"token": "…"`, `Authorization: Bearer …`, `scheme://user:secret@host`. */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [
    /\b(pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|access[-_]?key|client[-_]?secret)(["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,;&}\]]+)/gi,
    `$1$2${REDACTED}`,
  ],
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${REDACTED}`],
  [/(\w+:\/\/[^\s:/@]+:)[^\s@/]+@/g, `$1${REDACTED}@`],
];

/** The default redactor: takes what looks like a credential out of a text. */
export function redactSecrets(text: string): string {
  return SECRETS.reduce(
    (clean, [pattern, replacement]) => clean.replace(pattern, replacement),
    text,
  );
}
