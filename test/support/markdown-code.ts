/** A fenced block of a Markdown text: ` ```ts src/main.ts ` has the language `ts` and that name. */
export interface CodeBlock {
  readonly language: string;
  /** What follows the language; empty for a block without a name. */
  readonly name: string;
  readonly code: string;
}

/** The fenced blocks of a Markdown text, in order. */
export function codeBlocksOf(markdown: string): CodeBlock[] {
  const fences = markdown.matchAll(/^```(\S+)(?: +(.+?))? *\n(.*?)^```$/gms);
  return [...fences].map(([, language = '', name = '', code = '']) => ({ language, name, code }));
}

/** The TypeScript files that a guide has its readers write; a block may stand for several. */
export function filesOf(markdown: string): { readonly file: string; readonly code: string }[] {
  return codeBlocksOf(markdown)
    .filter(({ language, name }) => language === 'ts' && name !== '')
    .flatMap(({ name, code }) => name.split(' ').map((file) => ({ file, code })));
}

/** A line of a table, its cells without the padding. */
export function tableRowsOf(markdown: string): string[][] {
  const lines = markdown.split('\n').filter((line) => line.startsWith('|'));
  return lines.map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
